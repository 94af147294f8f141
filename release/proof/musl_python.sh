#!/bin/sh
# Builds a CPython whose C library is musl, from Debian's source: there is none to install where
# there is no Alpine. Some minutes; the next run has it again.
#
#   musl_python.sh DIRECTORY       then DIRECTORY/bin/python3.11
set -eu

place=$1
[ -x "$place/bin/python3.11" ] && exit 0
command -v musl-gcc >/dev/null || { echo "musl_python: musl-gcc is not there: apt-get install musl-tools" >&2; exit 1; }

rm -rf "$place"
mkdir -p "$place/source" "$place/lists/partial"
cd "$place"
place=$PWD
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 debian || :)
echo "deb-src ${mirror:-http://deb.debian.org/debian} bookworm main" >sources.list
apt="apt-get -qq -o Dir::Etc::sourcelist=$place/sources.list -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists=$place/lists -o APT::Sandbox::User=root"
# shellcheck disable=SC2086  # a list of options
$apt update
# shellcheck disable=SC2086
(cd source && $apt source --tar-only python3.11 && tar --strip-components=1 -xf python3.11_*.orig.tar.*)

# The machine's compiler takes itself for glibc's.
cat >cc <<'CC'
#!/bin/sh
case " $* " in *" --print-multiarch "*) echo "$(uname -m)-linux-musl"; exit ;; esac
exec musl-gcc "$@"
CC
chmod +x cc
cd source
sed -i 's/^    def add_multiarch_paths(self):/&\n        return/' setup.py
{
    CC=$place/cc ./configure --prefix="$place" --with-ensurepip=no --disable-test-modules
    make -j"$(nproc)"
    make install
} >"$place/log" 2>&1 || { tail -n 20 "$place/log" >&2; echo "musl_python: failed; see $place/log" >&2; exit 1; }
