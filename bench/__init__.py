"""Benchmarks: what git orch costs, as ratios to what a person would do without it, measured side by side in one run."""
