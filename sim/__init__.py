"""Deterministic simulation: the engine's own code on the in-memory store, with virtual time, one random seed, and
everything that can go wrong. `python -m sim --help`; what it found is in docs/reliability.md."""
