#!/bin/sh
# curl -N, which only copies the stream's bytes: URL PROJECT KEY COMMAND (a command without quotes).
id=$(curl -sS -X POST "$1/projects/$2/shell" -H "X-API-Key: $3" -H 'Content-Type: application/json' \
  -d "{\"command\": \"$4\"}" | sed 's/.*"id": *"\([^"]*\)".*/\1/')
exec curl -sSN "$1/projects/$2/events?stream_id=$id" -H "X-API-Key: $3"
