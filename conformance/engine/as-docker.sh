#!/bin/sh
# Runs a command that expects Docker, inside of enter.sh:
#
#   as-docker.sh COMMAND [ARG…]
#
# podman answers on a socket for as long as the command runs; docker-compose (1.x, Debian's)
# talks to that.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
socket=/run/engine/docker.sock
podman system service --time=0 "unix://$socket" &
service=$!
trap 'kill "$service"; wait "$service" || :' EXIT
attempts=200
until [ -S "$socket" ] || [ "$attempts" = 0 ]; do
    sleep 0.05
    attempts=$((attempts - 1))
done
PATH="$here/docker:/usr/bin:/bin:/usr/sbin:/sbin" DOCKER_HOST="unix://$socket" "$@"
