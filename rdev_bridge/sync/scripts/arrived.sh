# Have the parts of the stream `name` in $parts arrived, $total bytes in all? Waits for them for a moment, then says
# the size of each.
arrived() {
  # shellcheck disable=SC2086 # parts are words
  cd -P "$here/$own/spool/$name" 2>/dev/null && [ "$(cat $parts 2>/dev/null | wc -c)" -eq "$total" ]
}

enter
tries=0
until arrived || [ "$tries" -ge 40 ]; do
  sleep 0.05 2>/dev/null || sleep 1
  tries=$((tries + 1))
done
# shellcheck disable=SC2086
cd -P "$here/$own/spool/$name" 2>/dev/null && wc -c $parts 2>/dev/null
leave ok
