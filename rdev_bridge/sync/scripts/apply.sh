# The finishing call. Before it the bridge defines: id, expect (the generation that this push builds on, or * for any),
# unpack (puts the new content below the current folder), and plan, which defines prepare, checks, expected and
# actions. The same call may come twice, even at once: the second finds the work done.

# Since when a process runs, in clock ticks; empty for a dead one, - where the system does not tell.
born() {
  since=-
  if [ -r /proc/self/stat ]; then
    since=
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return
    # shellcheck disable=SC2086 # fields are words
    set -- ${line##*) }
    case $1 in
      Z | X) ;;
      *) since=${20} ;;
    esac
  elif ! kill -0 "$1" 2>/dev/null; then
    since=
  fi
}

# alive PID SINCE MACHINE: does the holder of a lock live? On another machine it counts as alive for ten minutes.
alive() {
  if [ "$3" != "$machine" ]; then
    [ -z "$(find "$own/lock" -mmin +10 2>/dev/null)" ]
    return
  fi
  born "$1"
  [ -n "$since" ] && [ "$since" = "$2" ]
}

# create FILE: exclusively, with who we are in it.
create() {
  created=0
  set -C
  { echo "$me" >"$1"; } 2>/dev/null || created=1
  set +C
  return $created
}

lock() {
  born $$
  me="$$ $since $machine"
  tries=0
  until create "$own/lock"; do
    holder=
    { read -r holder <"$own/lock"; } 2>/dev/null
    # shellcheck disable=SC2086 # fields are words
    if [ -n "$holder" ] && alive $holder; then
      nap
    elif [ -z "$holder" ] && [ "$tries" -lt 20 ]; then
      nap # just being written, or just gone
    elif create "$own/lock.steal"; then
      again=
      { read -r again <"$own/lock"; } 2>/dev/null
      if [ "$again" = "$holder" ]; then rm -f "$own/lock"; fi
      rm -f "$own/lock.steal"
    else
      thief=
      { read -r thief <"$own/lock.steal"; } 2>/dev/null
      # shellcheck disable=SC2086 # fields are words
      if [ -z "$thief" ] || ! alive $thief; then rm -f "$own/lock.steal"; fi
      nap
    fi
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ]; then return 1; fi
  done
}
nap() { sleep 0.05 2>/dev/null || sleep 1; }

# The end of whoever holds the lock.
finish() {
  rm -rf "$here/$own/lock" "$stage"
  leave "$@"
}

# into ./DIR: go there, and prove that no symbolic link led elsewhere.
into() {
  cd -P "$here/$1" || broken
  if [ "$1" != . ] && [ "$PWD" != "$here/${1#./}" ]; then broken; fi
}
# The generation stays at `applying`, so that the next push looks at everything.
broken() { finish failed "could not change what the push has to change; the server says why on stderr"; }

# What pushes that died here left: staging folders, and the mark of one that was about to take a lock over.
sweep() {
  thief=
  { read -r thief <"$own/lock.steal"; } 2>/dev/null
  # shellcheck disable=SC2086 # fields are words
  if [ -e "$own/lock.steal" ] && { [ -z "$thief" ] || ! alive $thief; }; then rm -f "$own/lock.steal"; fi
  for left in "$here/$own/stage.$machine".*; do
    born "${left##*.}"
    if [ -z "$since" ]; then rm -rf "$left"; fi
  done
}

enter
generation
if [ "${now#* }" = "$id done" ]; then leave ok "$now"; fi
if [ ! -d "$own" ]; then mkdir -p "$own" && echo '*' >"$own/.gitignore"; fi || leave failed "cannot write into $root"
stage=$here/$own/stage.$machine.$$
if ! mkdir "$stage" "$stage/0" || ! cd -P "$stage"; then leave failed "cannot write into $root"; fi
s=$stage
unpack
plan || {
  rm -rf "$stage"
  leave failed "the plan did not arrive whole"
}
prepare
cd -P "$here" || exit 1
if ! lock; then
  rm -rf "$stage"
  leave busy "$holder"
fi
sweep
generation
if [ "${now#* }" = "$id done" ]; then finish ok "$now"; fi
if [ "$expect" != '*' ] && [ "$expect" != "$now" ]; then finish stale "$now"; fi
actual=$(checks)
# shellcheck disable=SC2154 # the plan says what is expected
if [ "$actual" != "$expected" ]; then
  echo "$actual"
  finish differs "$now"
fi
count=${now%% *}
count=$((${count:-0} + 1))
echo "$count $id applying" >"$own/generation" || finish failed "cannot write into $root"
actions
cd -P "$here" || exit 1
echo "$count $id done" >"$own/generation" || finish failed "cannot write into $root"
for spool in "$here/$own/spool/$client"-*; do
  if [ -d "$spool" ]; then rm -rf "$spool"; fi
done
finish ok "$count $id done"
