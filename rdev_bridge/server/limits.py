"""Every bound of the server in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server grants. `rdev-bridge serve --limit NAME=NUMBER` changes any of them."""

    heartbeat_s: float = 10.0
    """The longest silence on a stream (the contract allows 15)."""
    stall_s: float = 60.0
    """A reader that takes nothing for so long is cut off; it can resume."""
    ticket_s: float = 60.0
    """How long a browser's ticket lives while no stream is open with it."""

    head_s: float = 10.0
    """Time for a request's head, counted from its first byte or the connection's start."""
    head_bytes: int = 32 * KIB
    body_s: float = 30.0
    body_bytes: int = MIB
    connections: int = 4096
    streams: int = 2048
    running: int = 128
    """Commands that run at once."""

    cancel_grace_s: float = 5.0
    """Between TERM and KILL."""
    quiet_s: float = 0.5
    """Where a background child keeps the pipes open after the command's end: how long they must be quiet."""
    linger_s: float = 5.0
    """And how long the end is held back at most, if that child goes on writing."""

    segment_bytes: int = 64 * MIB
    """A journal file's size; the oldest ones go first."""
    journal_bytes: int = GIB
    """What one command's journal may hold."""
    kept_bytes: int = 4 * GIB
    """What all finished commands' journals may hold together."""
    kept_s: float = 7 * 24 * 3600.0
    """How long a finished command can be read again."""

    idle_s: float = 2.0
    """With a lease: how long nobody holds it, nothing runs and nobody reads before the server leaves."""

    def within(self, open_files: int) -> Limits:
        """These as far as the system's bound on open files allows; a command needs three of them."""
        return replace(
            self,
            connections=min(self.connections, open_files * 3 // 4),
            streams=min(self.streams, open_files // 2),
            running=min(self.running, open_files // 16),
        )

    def changed(self, assignments: list[str]) -> Limits:
        """These with `NAME=NUMBER` applied. Raises ValueError that says what is wrong."""
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        values: dict[str, float] = {}
        for assignment in assignments:
            name, _, text = assignment.partition("=")
            if name not in kinds:
                raise ValueError(f"there is no limit {name!r}; they are: {', '.join(kinds)}")
            try:
                value = kinds[name](text)
            except ValueError:
                raise ValueError(f"the limit {name} needs a number, not {text!r}") from None
            if not 0 < value < float("inf"):
                raise ValueError(f"the limit {name} must be above 0")
            values[name] = value
        return replace(self, **values)  # type: ignore[arg-type]  # each value was made by its field's own type
