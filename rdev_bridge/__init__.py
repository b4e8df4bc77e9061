"""rdev-bridge: run tasks on a remote development server from any editor."""

__version__ = "0.1.0"
