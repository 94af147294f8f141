#!/bin/sh
# Makes what the example's image is built from, so that the build itself needs no
# network:
#
#   context.sh LAYER BINARY PYTHON WHEELS
#
# LAYER/base.tar is the base image, LAYER/context the build context.
set -eu

layer=$1 binary=$2 python=$3 wheels=$4
here=$(cd "$(dirname "$0")" && pwd)
example=$here/../../examples/digits

mkdir -p "$layer/wheelhouse"
# Not as root, or without mmdebstrap, there is no image to build: the
# other layers need none.
if [ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null; then
    [ -e "$layer/base.tar" ] || echo "making the base image (half a minute)" >&2
    "$here/base-image.sh" "$layer/base.tar"
    # The base image's Python, which need not be this machine's.
    "$python" -m pip download --quiet --dest "$layer/wheelhouse" --only-binary=:all: \
        --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 \
        --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 -r "$example/requirements.txt"
    rm -rf "$layer/context"
    mkdir -p "$layer/context/wheelhouse"
    cp "$layer"/wheelhouse/*.whl "$wheels"/*.whl "$layer/context/wheelhouse/"
    for file in Dockerfile requirements.txt runtime.toml train.py serve.py gunicorn.conf.py; do
        cp "$example/$file" "$layer/context/"
    done
    install -m 755 "$binary" "$layer/context/lyftlearn-runtime"
fi
