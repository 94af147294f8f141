#!/bin/sh
# Builds a CPython that is not to be had as a package, from Debian's source. Some minutes; the next
# run has it again.
#
#   build_python.sh musl|free-threaded DIRECTORY       then DIRECTORY/bin/python3 is there
set -eu

kind=$1 place=$2
[ -x "$place/bin/python3" ] && exit 0
case $kind in
musl)
    suite=bookworm package=python3.11 options= pinned=
    command -v musl-gcc >/dev/null ||
        { echo "build_python: musl-gcc is not there: apt-get install musl-tools" >&2; exit 1; }
    ;;
free-threaded)
    suite=forky package=python3.14 options=--disable-gil
    pinned=3.14.7 sum=3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81
    ;;
*) echo "build_python: musl or free-threaded, not $kind" >&2; exit 2 ;;
esac

rm -rf "$place"
mkdir -p "$place/source" "$place/lists/partial"
cd "$place"
place=$PWD
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 debian || :)
mirror=${mirror:-http://deb.debian.org/debian}
echo "deb-src $mirror $suite main" >sources.list
apt="apt-get -qq -o Dir::Etc::sourcelist=$place/sources.list -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists=$place/lists -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false"
# shellcheck disable=SC2086  # a list of options
$apt update
cd source
# A mirror's lists may name a version whose source it does not have yet, or no longer.
# shellcheck disable=SC2086
$apt source --tar-only "$package" || [ -z "$pinned" ] || /usr/lib/apt/apt-helper download-file \
    "$mirror/pool/main/p/$package/${package}_$pinned.orig.tar.xz" "${package}_$pinned.orig.tar.xz" "SHA256:$sum"
tar --strip-components=1 -xf "${package}_"*.orig.tar.*

compiler=cc
if [ "$kind" = musl ]; then
    # The machine's compiler takes itself for glibc's.
    cat >"$place/cc" <<'CC'
#!/bin/sh
case " $* " in *" --print-multiarch "*) echo "$(uname -m)-linux-musl"; exit ;; esac
exec musl-gcc "$@"
CC
    chmod +x "$place/cc"
    compiler=$place/cc
    sed -i 's/^    def add_multiarch_paths(self):/&\n        return/' setup.py
fi
{
    # shellcheck disable=SC2086
    CC=$compiler ./configure --prefix="$place" --with-ensurepip=no --disable-test-modules $options
    make -j"$(nproc)"
    make install
} >"$place/log" 2>&1 || { tail -n 20 "$place/log" >&2; echo "build_python: failed; see $place/log" >&2; exit 1; }
