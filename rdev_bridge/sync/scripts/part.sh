# Writes one numbered part of a stream into the spool; any order will do, and a repeat is harmless.
enter
folder=$own/spool/$name/$shelf
if [ ! -d "$folder" ]; then mkdir -p "$folder" || leave failed "cannot make $own/spool"; fi
decode "$data" >"$folder/$number" || leave failed "cannot write into $own/spool"
leave ok
