#!/bin/sh
# Runs the README's commands where nothing was ever installed: in a new root file
# system with what the README asks for, and nothing else.
#
#   fresh.sh [SUITE [MAKE-TARGET…]]        bookworm; demo test
#
# SUITE is a Debian release (bookworm, trixie). The checkout's last commit is cloned into it.
# Below target/fresh/SUITE everything stays until the next run, so that a failure can be looked
# at; `times` says how long each command took.
#
# Of this machine the root gets the kernel, Rust (a copy on write, so that rustup may add to
# it), and how registries are reached: name resolution, certificates, proxies, and the
# clients' own configuration. Needs root, mmdebstrap and namespaces.
set -eu

suite=${1:-bookworm}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- demo test

repository=$(cd "$(dirname "$0")/.." && pwd)
place=$repository/target/fresh/$suite
root=$place/root
rustup=${RUSTUP_HOME:-$HOME/.rustup}
cargo=${CARGO_HOME:-$HOME/.cargo}

# What the README asks for besides Rust.
packages=ca-certificates,git,make,python3,python3-venv

make_root() {
    # In new namespaces, so that an interrupt leaves no mount behind.
    TMPDIR=$place unshare --mount --pid --fork --kill-child --mount-proc --propagation slave \
        mmdebstrap --quiet --mode=root --variant=minbase --components=main \
        --include="$packages" "$suite" "$root"
}

# How this machine reaches registries is not under test.
carry_over() {
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/npmrc "$HOME/.npmrc" \
        "$HOME/.config/pip/pip.conf" /usr/local/share/ca-certificates/*.crt; do
        [ -f "$file" ] || continue
        mkdir -p "$root$(dirname "$file")"
        cp -L "$file" "$root$file"
    done
    for file in /etc/apt/apt.conf.d/*; do
        # Proxies, certificates, dates; not what this machine's packages have put there.
        dpkg-query --search "$file" >/dev/null 2>&1 || cp -L "$file" "$root/etc/apt/apt.conf.d/"
    done
    chroot "$root" update-ca-certificates >/dev/null
    mkdir -p "$root/root/.cargo" "$root/root/.rustup"
    cp -a "$cargo/bin" "$root/root/.cargo/"
    for file in config config.toml; do
        [ ! -f "$cargo/$file" ] || cp "$cargo/$file" "$root/root/.cargo/"
    done
}

# In new namespaces, until the commands end.
enter() {
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mkdir -p "$place/rustup-new" "$place/rustup-work"
    mount -t overlay -o "lowerdir=$rustup,upperdir=$place/rustup-new,workdir=$place/rustup-work" \
        overlay "$root/root/.rustup"
    cd "$root"
    mkdir -p old
    pivot_root . old
    umount -l /old
    export RUSTUP_HOME=/root/.rustup CARGO_HOME=/root/.cargo
    cd /root/project
    # What rustup adds it has to add itself.
    for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl; do
        /root/.cargo/bin/rustup --quiet target remove "$target" 2>/dev/null || :
    done
    for target in "$@"; do
        begun=$(date +%s)
        if make "$target"; then ended=passed; else ended=failed; fi
        echo "make $target: $ended after $(($(date +%s) - begun)) s" | tee -a /root/times
        [ "$ended" = passed ] || exit 1
    done
}

if [ "${LYFTLEARN_FRESH-}" = inside ]; then
    unset LYFTLEARN_FRESH
    enter "$@"
    exit
fi

[ "$(id -u)" = 0 ] || { echo "fresh: not root" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "fresh: mmdebstrap is not installed" >&2; exit 1; }
[ -d "$rustup" ] || { echo "fresh: no Rust in $rustup: install it with rustup" >&2; exit 1; }
[ -z "$(git -C "$repository" status --porcelain)" ] ||
    echo "fresh: what is not committed is not in the clone" >&2

rm -rf "$place"
mkdir -p "$place"
make_root
carry_over
git clone --quiet "file://$repository" "$root/root/project"

# Only what says how registries are reached comes along.
set -- "$suite" "$@"
env -i HOME=/root TERM=dumb LANG=C.UTF-8 LYFTLEARN_FRESH=inside \
    PATH=/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    RUSTUP_HOME="$rustup" CARGO_HOME="$cargo" \
    ${http_proxy+http_proxy="$http_proxy"} ${https_proxy+https_proxy="$https_proxy"} \
    ${no_proxy+no_proxy="$no_proxy"} \
    unshare --mount --pid --fork --kill-child --propagation slave "$0" "$@" || {
    cat "$root/root/times" 2>/dev/null || :
    echo "fresh: failed on $suite; see $root" >&2
    exit 1
}
cat "$root/root/times"
echo "fresh: $suite passed: $(shift; echo "$@")"
