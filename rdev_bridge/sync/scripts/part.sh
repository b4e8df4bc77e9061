# Writes one numbered part of a stream into the spool, in any order. The first call for a part is not waited for, and may
# run late, when the part was sent again and is being read: so it writes only what is not there. `again` is waited for,
# and replaces whatever is there.
enter
folder=$own/spool/$name/$shelf
if [ ! -d "$folder" ]; then mkdir -p "$folder" || leave failed "cannot make $own/spool"; fi
if [ -n "$again" ]; then
  stage=$own/stage.$machine.$$
  { decode "$data" >"$stage" && mv -f "$stage" "$folder/$number"; } || leave failed "cannot write into $own/spool"
else
  set -C
  { decode "$data"; } >"$folder/$number"
fi
leave ok
