nl='
'
n=0

# Is ./DIR a folder below the root that is reached without any symbolic link?
inside() {
  if cd -P "$1" 2>/dev/null && [ "$PWD" = "$here/${1#./}" ]; then
    cd -P "$here" || exit 1
    return 0
  fi
  cd -P "$here" || exit 1
  return 1
}

# look ./PATH...: what stands there, one line each, `NUMBER KIND [HASH]`: f file, x executable file, l link, d folder,
# o anything else; nothing for what does not exist. Numbers go on from call to call. Plain files come last, hashed by
# one process; a name that a hash tool would print in its own way (backslash, newline) is hashed by itself.
look() {
  marks=
  for entry do
    shift
    n=$((n + 1))
    if [ -L "$entry" ]; then
      target=$(readlink -n "$entry" | sha)
      target=${target%% *}
      echo "$n l $target"
    elif [ -d "$entry" ]; then
      if inside "$entry"; then echo "$n d"; else echo "$n o"; fi
    elif [ -f "$entry" ]; then
      kind=f
      if [ -x "$entry" ]; then kind=x; fi
      case $entry in
        *"$nl"* | *\\*) alone "$entry" "$n" "$kind" ;;
        *)
          set -- "$@" "$entry"
          marks="$marks $n,$kind"
          ;;
      esac
    elif [ -e "$entry" ]; then
      echo "$n o"
    fi
  done
  [ $# -gt 0 ] || return 0
  if hashes=$(sha "$@" 2>/dev/null); then
    echo "$hashes" | {
      # shellcheck disable=SC2086 # marks are words
      set -- $marks
      while read -r digest _; do
        echo "${1%,*} ${1#*,} $digest"
        shift
      done
    }
  else # one of them went away meanwhile, or cannot be read: ask for each by itself
    for mark in $marks; do
      alone "$1" "${mark%,*}" "${mark#*,}"
      shift
    done
  fi
}

alone() {
  digest=$({ sha <"$1"; } 2>/dev/null)
  digest=${digest%% *}
  echo "$2 $3 ${digest:-unreadable}"
}
