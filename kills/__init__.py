"""`kill -9` on real git, a thousand times: `make kill`. What it found is in docs/reliability.md."""
