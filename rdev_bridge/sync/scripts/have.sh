# Which parts of the stream `name` are there already, with their sizes? Older streams of this client go.
enter
for spool in "$own/spool/$client"-*; do
  case " $keep " in
    *" ${spool##*/} "*) ;;
    *) if [ -d "$spool" ]; then rm -rf "$spool"; fi ;;
  esac
done
for shelf in "$own/spool/$name"/*; do
  if [ -d "$shelf" ]; then wc -c "$shelf"/*; fi
done
leave ok
