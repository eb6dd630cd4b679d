"""git orch: a job queue and a merge queue in any plain git remote."""

__version__ = "0.1.0"
