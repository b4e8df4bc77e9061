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
# one process; a name with a newline, which would break that process's lines, is hashed by itself.
look() {
  marks=
  special=
  for entry do
    n=$((n + 1))
    if [ -f "$entry" ] && [ ! -L "$entry" ]; then
      kind=f
      if [ -x "$entry" ]; then kind=x; fi
      case $entry in
        *"$nl"*)
          alone "$entry" "$n" "$kind"
          special=1
          ;;
        *) marks="$marks$n $kind $nl" ;;
      esac
      continue
    fi
    special=1
    if [ -L "$entry" ]; then
      target=$(readlink -n "$entry" | sha)
      echo "$n l ${target%% *}"
    elif [ -d "$entry" ]; then
      if inside "$entry"; then echo "$n d"; else echo "$n o"; fi
    elif [ -e "$entry" ]; then
      echo "$n o"
    fi
  done
  if [ -n "$special" ]; then # leave only the plain files
    for entry do
      shift
      if [ -f "$entry" ] && [ ! -L "$entry" ]; then
        case $entry in
          *"$nl"*) ;;
          *) set -- "$@" "$entry" ;;
        esac
      fi
    done
  fi
  if [ -n "$marks" ]; then hash_all "$@"; fi
}

# A line for each of $marks, which are those of the files given.
hash_all() {
  if ! hashes=$(sha "$@" 2>/dev/null); then # one went away meanwhile, or cannot be read: ask for each by itself
    for entry do
      alone "$entry" "${marks%% *}" f
      marks=${marks#*"$nl"}
    done
    return
  fi
  set -f
  before=$IFS
  IFS=$nl
  # shellcheck disable=SC2086 # lines are words here; `read` would fetch them byte by byte
  set -- $hashes
  IFS=$before
  set +f
  for line do
    line=${line#\\} # says that the name after the hash is spelt with escapes
    echo "${marks%%"$nl"*}${line%% *}"
    marks=${marks#*"$nl"}
  done
}

alone() {
  digest=$({ sha <"$1"; } 2>/dev/null)
  digest=${digest%% *}
  echo "$2 $3 ${digest:-unreadable}"
}
