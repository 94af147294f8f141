#!/bin/sh
# Builds an example's image with podman, where up.sh will look for it: image.sh LAYER EXAMPLE. LAYER is what
# ../engine/context.sh has made of that example.
set -eu

layer=$1 example=$2
tag=localhost/$example:latest
own=$layer name=base
[ "$example" = digits ] || own=$layer/$example
[ "$example" != elastic ] || name=torch
base=localhost/lyftlearn-$name:latest
podman image exists "$base" || podman import --quiet "$layer/$name.tar" "$base" >/dev/null
# The wheelhouse is only mounted, so a cache of layers would not see that a wheel has changed.
contents=$(find "$own/context" -type f -exec sha256sum {} + | sort | sha256sum | cut -d ' ' -f 1)
[ "$(podman image inspect --format '{{index .Labels "context"}}' "$tag" 2>/dev/null)" = "$contents" ] ||
    podman build --quiet --no-cache --network none --build-arg BASE_IMAGE="$base" --label context="$contents" \
        --tag "$tag" "$own/context" >/dev/null
