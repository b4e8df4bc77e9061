"""The bridge as the tests of the command line drive it."""

from tests.cli.conftest import bridge

__all__ = ["bridge"]
