"""How much memory a process has, and has had."""

from __future__ import annotations

from pathlib import Path


def resident_kb(pid: int) -> int:
    """Now."""
    return _status(pid, "VmRSS")


def peak_kb(pid: int) -> int:
    """At most, since the process began or `forget_peak` was called."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let `peak_kb` begin anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0])
