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
# o anything else; nothing for what does not exist. Numbers go on from call to call. Plain files come last and are
# hashed by one process: their hashes follow as lines of their own, `= HASH`, in the same order. A name with a newline,
# which would break that process's lines, is hashed by itself.
look() {
  plain=
  special=
  for entry do
    n=$((n + 1))
    if [ -f "$entry" ] && [ ! -L "$entry" ]; then
      kind=f
      if [ -x "$entry" ]; then kind=x; fi
      case $entry in
        *"$nl"*)
          echo "$n $kind $(alone "$entry")"
          special=1
          ;;
        *) plain="$plain$n $kind$nl" ;;
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
  if [ -z "$plain" ]; then return; fi
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
  echo "${plain%"$nl"}"
  hash_all "$@"
}

# A line for each of the files given.
hash_all() {
  if ! hashes=$(sha "$@" 2>/dev/null); then # one went away meanwhile, or cannot be read: ask for each by itself
    for entry do echo "= $(alone "$entry")"; done
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
    echo "= ${line%% *}"
  done
}

alone() {
  digest=$({ sha <"$1"; } 2>/dev/null)
  digest=${digest%% *}
  echo "${digest:-unreadable}"
}
