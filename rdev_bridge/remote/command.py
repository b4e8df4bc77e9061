"""The shell text that gives a command its folder, its environment and an end: for any POSIX `sh -c`, no I/O here.

A folder named after a random token is the meeting place of a command and its cancel. Whoever makes it first wins: a
command that finds it there was cancelled before it began. It holds the number of the group's leader, and it goes with
the command. The token also stands in the environment of all that the command starts, which finds those who left the
group wherever there is a /proc.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from rdev_bridge.core.shelltext import quoted
from rdev_bridge.errors import RdevError

if TYPE_CHECKING:
    from rdev_bridge.remote.items import CommandSpec

MARK = "RDEV_BRIDGE_RUN"
EXIT_CANCELLED_EARLY = 143
EXIT_NO_FOLDER = 126
MAX_TEXT_BYTES = 131_071
"""Linux takes no longer single argument (MAX_ARG_STRLEN), and `sh -c TEXT` is one."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

# Stage one runs in the server's own shell. It decides the race, writes down who leads, and makes sure that somebody
# does: `exec` keeps the process, so that number, exit code and signals stay those that the server sees. `setsid` only
# where we know that we lead no group: a leader would fork, and its parent would end at once with 0.
_STAGE_ONE = """\
d=${{TMPDIR:-/tmp}}/rdev-{token}
if mkdir -m 700 "$d" 2>/dev/null; then
  :
elif [ -d "$d" ]; then
  rm -rf "$d"
  exit {cancelled}
else
  d=
fi
g= b=
if read -r l 2>/dev/null </proc/$$/stat; then
  set -- ${{l##*) }}
  g=$3 b=${{20}}
else
  g=$(ps -o pgid= -p $$ 2>/dev/null)
  g=${{g##* }}
fi
[ -z "$d" ] || echo "$$ $b" >"$d/pid"
if [ -n "$d" ] && [ -e "$d/cancelled" ]; then
  rm -rf "$d"
  exit {cancelled}
fi
{mark}={token}
export {mark}
s=$(command -v sh)
set -- "$s" -c {stage_two} rdev "$d" "$s"
if [ -z "$g" ] || [ "$g" = $$ ]; then
  exec "$@"
elif command -v setsid >/dev/null 2>&1; then
  exec setsid "$@"
elif command -v perl >/dev/null 2>&1; then
  exec perl -e 'setpgrp(0, 0); exec @ARGV' "$@"
fi
exec "$@"
"""

# Stage two waits for the command and takes the folder away. The traps let it outlive the TERM that the group gets.
# One that comes before the command must not be lost on it. Its own stderr is nowhere: a shell tells there what signal
# ended its child, which the command never wrote.
_STAGE_TWO = """\
k=
trap k={cancelled} HUP INT TERM
exec 3>&2 2>/dev/null
(
[ -z "$k" ] || exit "$k"
exec 2>&3 3>&-
s=$2
{body}
)
c=$?
[ -z "$1" ] || rm -rf "$1"
exit $c
"""

# Members are looked up afresh in each round, because new ones may appear while the old ones die. A zombie is dead.
# Where the server makes no group, the one who wrote down its number leads none for a moment. Rounds take as long as a
# busy machine needs, so they are not counted but timed, in hundredths of a second.
# A command that is slow to write down its number is not waited for: it is told, and looks for that once it has written.
# A folder that this makes itself waits for a command that may never come; those of former days are cleared away. The
# command may come that very moment and take it away, as it should; a `:` that cannot write would end this shell then.
_CANCEL = """\
d=${{TMPDIR:-/tmp}}/rdev-{token}
p= b=
if mkdir -m 700 "$d" 2>/dev/null; then
  (: >"$d/cancelled") 2>/dev/null
  for f in "${{TMPDIR:-/tmp}}"/rdev-*/cancelled; do
    [ -z "$(find "$f" -mtime +0 2>/dev/null)" ] || rm -rf "${{f%/cancelled}}"
  done
else
  n=0
  while [ -d "$d" ] && [ ! -s "$d/pid" ] && [ ! -e "$d/cancelled" ] && [ $n -lt 20 ]; do
    n=$((n+1))
    {nap}
  done
  [ -s "$d/pid" ] || (: >"$d/cancelled") 2>/dev/null
  [ ! -s "$d/pid" ] || read -r p b <"$d/pid"
fi
if [ -n "$p" ] && [ -n "$b" ] && read -r l 2>/dev/null </proc/"$p"/stat; then
  set -- ${{l##*) }}
  [ "${{20}}" = "$b" ] || p=
fi
look() {{
  v=
  if [ -r /proc/$$/stat ]; then
    v=$(grep -ls {mark}={token} /proc/[0-9]*/environ 2>/dev/null | sed 's,^/proc/,,; s,/environ$,,')
    [ -z "$p" ] || v="$v $(cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\\([0-9]*\\) (.*) [^ZX] [0-9]* $p .*/\\1/p
      s/^\\($p\\) (.*) [^ZX] .*/\\1/p")"
  elif [ -n "$p" ]; then
    v=$(ps -A -o pid= -o pgid= -o stat= | while read -r i g t; do
      case "$t $i $g " in Z*) ;; *" $p "*) echo "$i" ;; esac
    done)
  fi
  set -- $v
  v="$*"
}}
hit() {{
  [ -z "$p" ] || kill -"$1" -"$p" 2>/dev/null || kill -"$1" "$p" 2>/dev/null
  kill -"$1" $v 2>/dev/null
}}
over() {{
  [ -e "$d/cancelled" ] || rm -rf "$d"
  echo dead
  exit 0
}}
look
[ -n "$v" ] || over
now() {{
  if read -r t r 2>/dev/null </proc/uptime; then
    t=${{t%.*}}${{t#*.}}
    t=${{t#0}}
    t=${{t#0}}
  else
    t=$(date +%s)00
  fi
}}
hit TERM
hit CONT
now
e=$((t+{grace_ticks}))
while [ "$t" -lt $e ]; do
  {nap}
  look
  [ -n "$v" ] || over
  now
done
e=$((t+{kill_ticks}))
while [ "$t" -lt $e ]; do
  hit KILL
  {nap}
  look
  [ -n "$v" ] || over
  now
done
echo "alive $v"
exit 1
"""
_NAP = "sleep 0.1 2>/dev/null || sleep 1"
_TICK_S = 0.01
_KILL_S = 10.0


def plain_text(spec: CommandSpec) -> str:
    """The text for a server that ends commands by itself: folder, environment, then the command in place."""
    if spec.cwd is None and not spec.env:
        return _fitting(_sendable(spec.command))
    return _fitting(f"s=$(command -v sh)\n{_body(spec)}\n")


def cancellable_text(spec: CommandSpec, token: str) -> str:
    """The text for a server that knows nothing but `/shell`; `cancel_script(token, …)` ends what it started.

    Raises RdevError where a name cannot be given to a shell, or where the whole is too long for one.
    """
    stage_two = _STAGE_TWO.format(cancelled=EXIT_CANCELLED_EARLY, body=_body(spec))
    text = _STAGE_ONE.format(token=token, cancelled=EXIT_CANCELLED_EARLY, mark=MARK, stage_two=shlex.quote(stage_two))
    return _fitting(text)


def cancel_script(token: str, grace_s: float) -> str:
    """TERM to all of it, after `grace_s` KILL, and "dead" on stdout once nothing is left; else "alive PID…", exit 1."""
    ticks, kill_ticks = max(0, round(grace_s / _TICK_S)), round(_KILL_S / _TICK_S)
    return _CANCEL.format(token=token, mark=MARK, grace_ticks=ticks, kill_ticks=kill_ticks, nap=_NAP)


def _body(spec: CommandSpec) -> str:
    lines = [f"export {_assignment(name, value)}" for name, value in spec.env.items()]
    if spec.cwd is not None:
        folder = _without_nul(spec.cwd)
        place = quoted(folder if folder.startswith("/") else f"./{folder}")  # "./" keeps CDPATH and "-" out
        complaint = quoted(f"rdev-bridge: there is no folder {folder} on the server, or it cannot be entered")
        lines.append(f"cd {place} 2>/dev/null || {{ printf '%s\\n' {complaint} >&2; exit {EXIT_NO_FOLDER}; }}")
    lines.append(f'exec "$s" -c {shlex.quote(_sendable(spec.command))} </dev/null')
    return "\n".join(lines)


def _assignment(name: str, value: str) -> str:
    if not _NAME.match(name):
        raise RdevError(f"{name!r} is no name for an environment variable", reason="badEnvironment")
    return f"{name}={quoted(_without_nul(value))}"


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise RdevError("a command, its folder and its environment cannot hold a NUL character", reason="badCommand")
    return text


def _sendable(command: str) -> str:
    text = _without_nul(command)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RdevError("a command that is not valid UTF-8 cannot be sent as JSON", reason="badCommand") from None
    return text


def _fitting(text: str) -> str:
    size = len(text.encode())
    if size > MAX_TEXT_BYTES:
        raise RdevError(
            f"the command is {size} bytes long for the server's shell, which takes {MAX_TEXT_BYTES}; "
            "put it into a script file and run that; if ${changedFiles} is what is long, run the task yourself once, "
            "which leaves that empty",
            reason="commandTooLong",
        )
    return text
