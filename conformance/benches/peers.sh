#!/bin/sh
# Puts StatsD servers for ingest.py into DIRECTORY, as far as they can be had here: the original
# one from npm, and Debian's collectd and netdata, unpacked and not installed. None of them has to be there.
#
#   peers.sh DIRECTORY
set -eu

mkdir -p "$1"
cd "$1"

if ! [ -d node_modules/statsd ] && command -v npm >/dev/null; then
    timeout 60 npm install --silent --prefix . statsd@0.9.0 >/dev/null ||
        echo "peers: statsd is not to be had from npm" >&2
fi

# unpacked NAME PACKAGE...
unpacked() {
    name=$1
    shift
    [ -d "$name" ] && return
    if ! timeout 60 apt-get download -qq "$@" >/dev/null 2>&1; then
        echo "peers: $name is not to be had from Debian" >&2
        return
    fi
    for package in ./*.deb; do
        dpkg-deb -x "$package" "$name.new"
        rm "$package"
    done
    mv "$name.new" "$name"
}

if command -v apt-get >/dev/null; then
    unpacked collectd collectd-core
    unpacked netdata netdata-core libuv1
fi
