# Wakes when an invocation's time is nearly over. Arguments: process id of PHP, milliseconds to reserve, log format, address
# of the Runtime API. File 3, shared with PHP, holds the deadline (milliseconds since 1970) and the request's id. While there
# is none it may sleep as long as the last invocation had: the next one cannot end sooner.
php=$1 reserved=$2 format=$3 api=$4
period=500 done=0

say_where() {
  sockets=' '
  for file in "/proc/$php/fd"/*; do
    target=$(readlink "$file")
    case $target in socket:*) sockets="$sockets${target#socket:} " ;; esac
  done
  found=
  for family in tcp tcp6; do
    while read -r _ _ remote state _ _ _ _ _ inode _; do
      case $sockets in *" [$inode] "*) ;; *) continue ;; esac
      case $state in 01) what=connected ;; 02) what=connecting ;; *) continue ;; esac
      port=$((0x${remote##*:})) address=${remote%:*}
      if [ ${#address} -eq 8 ]; then
        rest=${address#??} last=${address%"$rest"} and=${rest#??} third=${rest%"$and"} first=${and#??}
        address=$((0x$first)).$((0x${and%"$first"})).$((0x$third)).$((0x$last))
      fi
      [ "$address:$port" = "$api" ] || found="$found${found:+, }$address:$port ($what)"
    done < "/proc/$php/net/$family"
  done
  text="The time of the function is nearly over, and PHP waits in a call that it cannot be called out of."
  text="$text Connections: ${found:-none}. Set a timeout on that client."
  if [ "$format" = JSON ]; then
    printf '{"timestamp":"%s","level":"WARN","requestId":"%s","message":"%s"}\n' "$(date -u +%FT%T.%3NZ)" "$1" "$text"
  else
    printf '%s\tWARN\t%s\n' "$1" "$text"
  fi
}

while kill -0 "$php"; do
  read -r deadline id < /dev/fd/3
  now=$(date +%s%3N)
  left=$((deadline - reserved - now))
  if [ "$left" -le 0 ] || [ "$deadline" = "$done" ]; then
    if [ "$deadline" != "$done" ] && [ "$deadline" -gt "$now" ]; then
      kill -ALRM "$php"
      sleep 0.03
      read -r still _ < /dev/fd/3
      [ "$still" = "$deadline" ] && say_where "$id"
    fi
    done=$deadline left=$period
  elif [ "$left" -gt "$period" ]; then
    period=$left
  fi
  sleep "$((left / 1000)).$(printf %03d $((left % 1000)))"
done
