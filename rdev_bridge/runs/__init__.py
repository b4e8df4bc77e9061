"""The life of a run: start, relay, finish, cancel, log, history."""
