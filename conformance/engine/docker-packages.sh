#!/bin/sh
# Unpacks Debian's Docker into a directory: docker-packages.sh TARGET. It is not installed, because it cannot be
# installed next to podman-docker. Does nothing when TARGET exists.
set -eu

target=$1
[ ! -e "$target" ] || exit 0
rm -rf "$target.part"
mkdir -p "$target.part/packages"
(cd "$target.part/packages" && apt-get download --quiet=2 docker.io containerd runc tini)
for package in "$target.part"/packages/*.deb; do
    dpkg-deb -x "$package" "$target.part"
done
rm -r "$target.part/packages"
mv "$target.part" "$target"
