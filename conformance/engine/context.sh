#!/bin/sh
# Makes what an example's image is built from, so that the build itself needs no
# network:
#
#   context.sh LAYER BINARY PYTHON WHEELS [EXAMPLE]
#
# LAYER/base.tar is the base image, LAYER/context the build context of digits, and
# LAYER/EXAMPLE/context that of another example.
set -eu

layer=$1 binary=$2 python=$3 wheels=$4 example=${5:-digits}
here=$(cd "$(dirname "$0")" && pwd)
own=$layer
[ "$example" = digits ] || own=$layer/$example
example=$here/../../examples/$example

mkdir -p "$own/wheelhouse"
# Not as root, or without mmdebstrap, there is no image to build: the
# other layers need none.
if [ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then
    [ -e "$layer/base.tar" ] || echo "making the base image (half a minute)" >&2
    "$here/base-image.sh" "$layer/base.tar"
    # The base image's Python, which need not be this machine's.
    "$python" -m pip download --quiet --dest "$own/wheelhouse" --only-binary=:all: \
        --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 \
        --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 -r "$example/requirements.txt"
    rm -rf "$own/context"
    mkdir -p "$own/context/wheelhouse"
    cp "$own"/wheelhouse/*.whl "$wheels"/*.whl "$own/context/wheelhouse/"
    # What a Dockerfile copies; samples and documents are for the checker and for readers.
    cp "$example"/Dockerfile "$example"/requirements.txt "$example"/runtime.toml "$example"/*.py "$own/context/"
    rm -f "$own/context/make_data.py"
    install -m 755 "$binary" "$own/context/lyftlearn-runtime"
fi
