"""A fuzzer for every reader of what others wrote; `make fuzz` runs it, docs/fuzzing.md says what it found."""
