# First contact: makes the root where only its last folder is missing, says what is there, and which tools work.
if [ ! -d "$root" ]; then mkdir -- "$root" 2>/dev/null || leave noroot; fi
enter

content=empty
for entry in * .[!.]* ..?*; do
  if [ "$entry" != "$own" ] && { [ -e "$entry" ] || [ -L "$entry" ]; }; then
    content=something
    break
  fi
done
say content "$content"

# The same machine, the same folder? Only who reads the same files can know these tokens.
proven() {
  read_token=
  { read -r read_token <"$1"; } 2>/dev/null
  [ "$read_token" = "$token" ]
}
if proven "$proof"; then say place machine; fi
if proven "$own/$marker"; then leave place folder; fi

if [ ! -d "$own" ]; then mkdir -p "$own" && echo '*' >"$own/.gitignore"; fi || leave failed "cannot write into $root"
# What interrupted pushes left behind.
find "$own/." ! -name . -prune -name 'stage.*' -mtime +0 -exec rm -rf {} + 2>/dev/null
find "$own/spool/." ! -name . -prune -mtime +1 -exec rm -rf {} + 2>/dev/null

# first KIND ANSWER NAME COMMAND...: the first command whose output starts with ANSWER.
first() {
  kind=$1 answer=$2
  shift 2
  while [ $# -gt 1 ]; do
    case $(eval "$2" 2>/dev/null) in
      "$answer"*)
        found=$1
        say "$kind" "$found"
        return
        ;;
    esac
    shift 2
  done
  say "$kind" none
}
