#!/bin/sh
# Makes the root file system that example images are built on, without a
# registry: Debian with Python and pip, as a tar for `podman import`.
#
#   base-image.sh OUTPUT.tar
#
# Needs root, mmdebstrap and a Debian mirror that apt can reach. Does nothing
# when OUTPUT.tar exists. The same packages give the same bytes.
set -eu

output=${1:?usage: base-image.sh OUTPUT.tar}
if [ -e "$output" ]; then
    exit 0
fi

directory=$(dirname "$output")
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
scratch=$(mktemp -d "$directory/base-image.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# mmdebstrap clamps every time stamp to this; any constant serves.
export SOURCE_DATE_EPOCH=1735689600
# The root file system is unpacked next to its result, not on a small /tmp.
export TMPDIR="$scratch"

# Namespaces of its own, so that an interrupt leaves neither mounts nor
# processes. Mirror and suite updates are mmdebstrap's own defaults.
# Documentation, translations and apt's cache only cost space.
# shellcheck disable=SC2016  # $1 is for mmdebstrap's hooks.
unshare --mount --pid --fork --kill-child --mount-proc --propagation slave \
    mmdebstrap --quiet --mode=root --variant=minbase --format=tar \
    --include=ca-certificates,python3,python3-pip \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
    --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/log/*' \
    bookworm "$scratch/base.tar"

# Whole or not at all: an interrupted run leaves no half image to be reused.
mv "$scratch/base.tar" "$output"
