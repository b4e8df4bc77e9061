"""The rdev API as a client."""
