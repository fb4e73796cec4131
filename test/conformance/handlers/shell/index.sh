handler() {
  cat >"$work/copy"
  # Events larger than this are only echoed.
  case $(head -c 4096 "$work/copy") in
    *'"do":"fail"'*)
      # The message is a JSON string; printf undoes the escapes that the cases use.
      printf "$(sed -n 's/.*"message":"\(.*\)"}$/\1/p' "$work/copy" | sed 's/\\"/"/g')\n" >&2
      return 1
      ;;
    *'"do":"size"'*)
      size=$(sed -n 's/.*"size":\([0-9]*\).*/\1/p' "$work/copy")
      printf '"'
      head -c "$size" /dev/zero | tr '\0' x
      printf '"'
      ;;
    *'"do":"trace"'*) printf '"%s"' "$_X_AMZN_TRACE_ID" ;;
    *'"do":"die"'*) kill -KILL $$ ;;
    *'"do":"sleep"'*) sleep "$(sed -n 's/.*"seconds":\([0-9.]*\).*/\1/p' "$work/copy")" ;;
    *'"do":"write"'*)
      sed -n 's/.*"text":\("[^"]*"\).*/\1/p' "$work/copy" >/tmp/kept
      printf null
      ;;
    *'"do":"read"'*) cat /tmp/kept ;;
    *'"do":"variable"'*) printenv "$(sed -n 's/.*"name":"\([^"]*\)".*/\1/p' "$work/copy")" | sed 's/.*/"&"/' ;;
    *'"do":"log"'*)
      echo 'to standard output' >&2
      echo 'to standard error' >&2
      printf null
      ;;
    *) cat "$work/copy" ;;
  esac
}
