# Greets the name in the event.
handler() {
  name=$(sed -n 's/.*"name" *: *"\([^"]*\)".*/\1/p')
  if [ -z "$name" ]; then
    echo 'the event has no name' >&2
    return 1
  fi
  printf '{"greeting":"Hello, %s!"}' "$name"
}
