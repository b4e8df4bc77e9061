"""File changes to requests: what changed on disk or was saved in an editor, as runs of the tasks that watch it."""
