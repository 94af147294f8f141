#!/bin/sh
# Builds the example's image with podman, where up.sh will look for it: image.sh LAYER TAG. LAYER is what
# ../engine/context.sh has made.
set -eu

layer=$1 tag=$2
base=localhost/lyftlearn-base:latest
podman image exists "$base" || podman import --quiet "$layer/base.tar" "$base" >/dev/null
# The wheelhouse is only mounted, so a cache of layers would not see that a wheel has changed.
contents=$(find "$layer/context" -type f -exec sha256sum {} + | sort | sha256sum | cut -d ' ' -f 1)
[ "$(podman image inspect --format '{{index .Labels "context"}}' "$tag" 2>/dev/null)" = "$contents" ] ||
    podman build --quiet --no-cache --network none --build-arg BASE_IMAGE="$base" --label context="$contents" \
        --tag "$tag" "$layer/context" >/dev/null
