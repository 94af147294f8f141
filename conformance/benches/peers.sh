#!/bin/sh
# Puts StatsD servers for ingest.py into DIRECTORY, as far as they can be had here: the original
# one from npm, and Debian's collectd, unpacked and not installed. None of them has to be there.
#
#   peers.sh DIRECTORY
set -eu

mkdir -p "$1"
cd "$1"

if ! [ -d node_modules/statsd ] && command -v npm >/dev/null; then
    timeout 60 npm install --silent --prefix . statsd@0.9.0 >/dev/null ||
        echo "peers: statsd is not to be had from npm" >&2
fi

if ! [ -d collectd ] && command -v apt-get >/dev/null; then
    if timeout 60 apt-get download -qq collectd-core >/dev/null 2>&1; then
        dpkg-deb -x collectd-core_*.deb collectd.new
        rm collectd-core_*.deb
        mv collectd.new collectd
    else
        echo "peers: collectd-core is not to be had from Debian" >&2
    fi
fi
