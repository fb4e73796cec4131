#!/bin/sh
# Runs the project in a service of its own, and checks what it answers. Run it with: sh test.sh
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
lamella dev --ephemeral --port 0 --quiet --ready-file "$work/ready.json" >"$work/log" 2>&1 &
service=$!
trap 'kill "$service"; wait "$service" || true; rm -r "$work"' EXIT
until [ -s "$work/ready.json" ]; do
  kill -0 "$service" 2>/dev/null || { cat "$work/log"; exit 1; }
  sleep 0.1
done
AWS_ENDPOINT_URL=$(sed 's/.*"lambda":"\([^"]*\)".*/\1/' "$work/ready.json")
export AWS_ENDPOINT_URL

# expect WHAT WANTED GOT
expect() {
  if [ "$2" = "$3" ]; then echo "ok: $1"; else echo "not ok: $1: expected $2, got $3"; exit 1; fi
}

expect 'hello greets' '{"greeting":"Hello, World!"}' "$(lamella invoke hello -e events/world.json --log-type None)"
