# Have the parts of the stream `name` in $parts arrived, $total bytes in all? Waits for them for a moment, then says
# the size of each.
enter
cd -P "$own/spool/$name" 2>/dev/null || leave ok
tries=0
# shellcheck disable=SC2086 # parts are words
while [ "$(cat $parts 2>/dev/null | wc -c)" -ne "$total" ] && [ "$tries" -lt 40 ]; do
  sleep 0.05 2>/dev/null || sleep 1
  tries=$((tries + 1))
done
# shellcheck disable=SC2086
wc -c $parts 2>/dev/null
leave ok
