#!/bin/sh
# Stands for FFmpeg in a soak: the same files at the same places, of media made beforehand ($SOAK_MEDIA). What grows while
# time passes (progress, levels, the open segment) is written by whoever makes time pass.
case " $* " in
  *" -version "*) echo "ffmpeg version soak"; exit 0 ;;
  *" pipe:0 "*) exec cat > /dev/null ;;
  *" -progress "*) ;;
  *" -f concat "*) for last; do :; done; echo "viewing copy" > "$last"; exit 0 ;;
  *) echo "Stream #0:0: Video: h264"; echo "Stream #0:1: Audio: aac"; exit 1 ;;
esac >&2
list=
for argument; do
  [ "$former" = -progress ] && progress=${argument#file:}
  [ "$former" = -segment_list ] && list=$argument
  former=$argument
done
finish() {
  if [ -n "$list" ]; then sed -n 3p "$SOAK_MEDIA/segments.csv" >> "$list"; fi
  printf 'frame=750\nout_time_us=30000000\nprogress=end\n' >> "$progress"
  kill "$sleeping"
  exit 0
}
trap finish TERM
if [ -n "$list" ]; then
  folder=${list%/*}
  cp "$SOAK_MEDIA/000000.ts" "$SOAK_MEDIA/000001.ts" "$SOAK_MEDIA/000002.ts" "$folder"
  sed -n 1,2p "$SOAK_MEDIA/segments.csv" > "$list"
fi
while :; do
  # Short, since it is left behind when this is killed.
  sleep 5 &
  sleeping=$!
  wait $sleeping
done
