# Starts every script of a push. Before it the bridge defines `root` (where the server sees the workspace) and the
# tools that the probe found: sha FILE... (or stdin), decode TEXT, unzip. Answers are lines that start with @rdev,
# in ASCII, so that noise of a login shell and odd file names can do no harm.
LC_ALL=C
export LC_ALL
unset CDPATH
own=.rdev-push
machine=-
{ read -r machine </proc/sys/kernel/hostname; } 2>/dev/null

say() { echo "@rdev $*"; }
leave() {
  say "$@"
  exit 0
}

# What the last push left: `COUNT ID STATUS`, empty where there was none.
generation() {
  now=
  { read -r now <"$own/generation"; } 2>/dev/null
}

# Goes to the root. The folder for a push's own files may not lead elsewhere.
enter() {
  cd -P -- "$root" 2>/dev/null || leave noroot
  here=$PWD
  if [ "$here" = / ]; then leave failed "remote_root is the root of the file system"; fi
  if [ -L "$own" ] || [ -L "$own/spool" ]; then leave failed "$own is a symbolic link"; fi
}
