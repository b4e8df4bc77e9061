"""The barrier before a run: what must be done so that it runs on the code you see."""

from rdev_bridge.sync.barrier import Barrier
from rdev_bridge.sync.errors import SyncConflictError, SyncError

__all__ = ["Barrier", "SyncConflictError", "SyncError"]
