from gitorch.api import Orch as Orch
from gitorch.api import Status as Status
from gitorch.core.additions import Draft as Draft
from gitorch.core.errors import DamagedError as DamagedError
from gitorch.core.errors import OrchError as OrchError
from gitorch.core.errors import RefusedError as RefusedError
from gitorch.core.errors import UnreachableError as UnreachableError
from gitorch.core.errors import UsageError as UsageError
from gitorch.core.model import Job as Job
from gitorch.core.model import JobId as JobId
from gitorch.core.model import Snapshot as Snapshot
from gitorch.core.model import State as State

__version__: str
