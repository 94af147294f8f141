#!/bin/sh
# Puts what building a release needs below target/: pinned tools in a Python environment of their
# own, and Rust's libraries for each target.
#
#   tools.sh [--exact] REQUIREMENTS [RUST-TARGET…]      requirements-build.txt or requirements.txt
#
# --exact installs the release's compiler if it is missing: published artefacts need exactly this
# version, tested ones do not.
set -eu

exact=
[ "$1" != --exact ] || { exact=yes; shift; }

here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../target/release-tools
requirements=$here/$1
shift

command -v cargo >/dev/null || { echo "tools: cargo is not there: install Rust with rustup first" >&2; exit 1; }
command -v cc >/dev/null || { echo "tools: cc is not there: apt-get install gcc libc6-dev" >&2; exit 1; }
python3 -c 'import ensurepip' || { echo "tools: Python makes no environments: apt-get install python3-venv" >&2; exit 1; }
[ -x "$tools/bin/python" ] || python3 -m venv "$tools"
"$tools/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"

# The toolchain that make.py takes: by its number, where rustup has it under that.
number=$(sed -n 's/^rust = "\(.*\)"$/\1/p' "$here/../Cargo.toml")
if [ -z "${RUSTUP_TOOLCHAIN-}" ] && command -v rustup >/dev/null &&
    rustup toolchain list | grep -q "^$number-"; then
    export RUSTUP_TOOLCHAIN="$number"
fi
if [ -n "$exact" ] && ! rustc --version | grep -q "^rustc $number "; then
    command -v rustup >/dev/null || { echo "tools: rustc is not $number, nor is rustup there to add it" >&2; exit 1; }
    rustup --quiet toolchain install --profile minimal "$number"
    export RUSTUP_TOOLCHAIN="$number"
fi
for target in "$@"; do
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] && continue
    command -v rustup >/dev/null || { echo "tools: the Rust target $target is not there, nor rustup to add it" >&2; exit 1; }
    rustup --quiet target add "$target"
done
