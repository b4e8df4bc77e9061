"""`rdev/resolvePath`: the local file that a run's output names, for editors that jump from a line of output."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from rdev_bridge.problems.locate import Locator
from rdev_bridge.problems.problem import FileLocation

if TYPE_CHECKING:
    from rdev_bridge.core.paths import PathMap


class ResolvePathParams(msgspec.Struct, rename="camel"):
    """`{runId, path}`: `path` as it stands in the run's output."""

    run_id: str
    path: str


async def resolve(path: str, paths: PathMap, cwd: str | None) -> dict[str, str | None]:
    """`{uri}`, null where there is no such file in the workspace."""
    local = await asyncio.to_thread(Locator(paths, cwd).locate, path, FileLocation())
    return {"uri": None if local is None else local.as_uri()}
