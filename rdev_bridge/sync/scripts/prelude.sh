# Starts every script of a push. Before it the bridge defines `root` (where the server sees the workspace) and the
# tools that the probe found: sha FILE... (or stdin), decode TEXT, unzip. Answers are lines that start with @rdev,
# in ASCII, so that noise of a login shell and odd file names can do no harm.
LC_ALL=C
export LC_ALL
unset CDPATH
own=.rdev-push

say() { echo "@rdev $*"; }
leave() {
  say "$@"
  exit 0
}

cd -P -- "$root" 2>/dev/null || leave noroot
here=$PWD
if [ -L "$own" ] || [ -L "$own/spool" ]; then leave failed "$own is a symbolic link"; fi

# What the last push left: `COUNT ID STATUS`, empty where there was none.
generation() {
  now=
  { read -r now <"$own/generation"; } 2>/dev/null
}
