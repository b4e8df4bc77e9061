"""Configuration: one place reads, checks and merges it (flags, environment, `rdev.toml`, `config.toml`, defaults)."""

from rdev_bridge.settings.resolve import Flags, named_server, path_map, resolve, unknown_servers
from rdev_bridge.settings.source import Source
from rdev_bridge.settings.user import UserConfig, load_user
from rdev_bridge.settings.workspace import FILE_NAME, Workspace, find_root, load_workspace, workspace_from

__all__ = [
    "FILE_NAME",
    "Flags",
    "Source",
    "UserConfig",
    "Workspace",
    "find_root",
    "load_user",
    "load_workspace",
    "named_server",
    "path_map",
    "resolve",
    "unknown_servers",
    "workspace_from",
]
