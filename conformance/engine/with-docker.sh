#!/bin/sh
# Runs a command with a Docker daemon of its own, inside of enter.sh:
#
#   with-docker.sh ROOT COMMAND [ARG…]
#
# ROOT is what docker-packages.sh made. The daemon has no bridge and no firewall rules: containers have no network, or
# that of another one. It ends with the command.
set -eu

root=$1
shift
# Below the caller's storage, where an overlay can be made.
data=$TMPDIR/docker
rm -rf "$data"
mkdir -p "$data"
export PATH="$root/usr/bin:$root/usr/sbin:$PATH" DOCKER_HOST=unix:///run/docker.sock
dockerd --data-root "$data" --exec-root /run/docker --host "$DOCKER_HOST" --pidfile /run/docker.pid \
    --bridge none --iptables=false >"$data/log" 2>&1 &
daemon=$!
trap 'kill "$daemon"; wait "$daemon" || :; rm -rf "$data"' EXIT
attempts=300
until docker version >/dev/null 2>&1; do
    attempts=$((attempts - 1))
    if [ "$attempts" = 0 ] || ! kill -0 "$daemon"; then
        tail -n 5 "$data/log" >&2
        exit 1
    fi
    sleep 0.1
done
"$@"
