"""git orch: a job queue and a merge queue in any plain git remote. Programs start with `Orch` (gitorch.api)."""

__version__ = "0.1.0"

_API = {"Orch": "gitorch.api", "Status": "gitorch.api", "Draft": "gitorch.core.additions"}
_CORE = ("Job", "JobId", "Snapshot", "State")
_ERRORS = ("OrchError", "UsageError", "RefusedError", "UnreachableError", "DamagedError")
__all__ = ["Draft", "Job", "JobId", "Orch", "OrchError", "Snapshot", "State", "Status", "UsageError", "__version__"]


def __getattr__(name: str) -> object:
    """The names of the API, loaded when they are asked for: the command line starts without them."""
    module = _API.get(name)
    module = module or ("gitorch.core.model" if name in _CORE else None)
    module = module or ("gitorch.core.errors" if name in _ERRORS else None)
    if module is None:
        raise AttributeError(f"module 'gitorch' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(module), name)
