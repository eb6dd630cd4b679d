"""Bugs that are planted one by one, each of which the simulation, the contract suite or the kills must catch:
`make planted`. The table of what caught what is in docs/reliability.md."""
