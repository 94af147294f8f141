#!/bin/sh
# Installs the Debian or Ubuntu packages that the proofs of a release need. Without root it lists
# the missing ones.
set -eu

missing=
for package in debian-archive-keyring gcc libc6-dev iproute2 mmdebstrap musl-tools openssl qemu-user-static util-linux; do
    dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "setup: run as root, or: apt-get install$missing" >&2
    exit 1
fi
echo "setup: installing$missing" >&2
apt-get update -qq
# shellcheck disable=SC2086  # a list of package names
DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y $missing >/dev/null
