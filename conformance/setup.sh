#!/bin/sh
# Installs what building, the demo and the tests need of Debian 12.
#
#   setup.sh [PACKAGE…]        and these packages of it
#
# Rust (rustup) and Python 3.9 or newer are expected to be there.
set -eu

command -v cargo >/dev/null || { echo "setup: cargo is not there: install Rust with rustup first" >&2; exit 1; }
command -v python3 >/dev/null || { echo "setup: python3 is not there: apt-get install python3 python3-venv" >&2; exit 1; }

target=x86_64-unknown-linux-musl
if ! [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    command -v rustup >/dev/null || { echo "setup: the Rust target $target is not there, nor rustup to add it" >&2; exit 1; }
    rustup target add "$target"
fi

# The training toolkit has a module in C, which wants the headers of that Python.
headers='import os, sysconfig; raise SystemExit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
python3 -c "$headers" && development= || development=python3-dev

# Debian's Python needs an extra package for virtual environments.
python3 -c 'import ensurepip' 2>/dev/null && venv= || venv=python3-venv

# Nodejs comes with npm from where it is made, and without from Debian.
command -v npm >/dev/null && npm= || npm=npm
# Any Java serves.
command -v java >/dev/null && java= || java=default-jre-headless

# A missing package is all that apt-get is called for: a machine that has them all
# needs neither root nor a network here. The SDK ends its local mode with pgrep (procps).
missing=
for package in \
    gcc libc6-dev musl-tools procps util-linux mmdebstrap \
    podman crun catatonit netavark aardvark-dns iptables iproute2 docker-compose \
    python3 $development $venv python3-torch prometheus rclone sudo nodejs $npm $java "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "setup: run as root, or: apt-get install$missing" >&2
        exit 1
    fi
    echo "setup: installing$missing" >&2
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of package names
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y $missing >/dev/null
fi

# Later releases may not have it.
if ! [ -x /usr/bin/aws ] && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y awscli >/dev/null ||
        echo "setup: awscli is not to be had: nothing is tested with it" >&2
fi
