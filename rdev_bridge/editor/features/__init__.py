"""One file per method or kind of message: a thin handler over a pure function."""
