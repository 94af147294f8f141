#!/bin/sh
# Whether podman can run containers here: root, its tools, and namespaces. Prints what is missing;
# the caller then works without podman.
set -u

if [ "$(id -u)" != 0 ]; then
    echo "podman layer: not root" >&2
    exit 1
fi
for tool in podman crun catatonit ip unshare; do
    command -v "$tool" >/dev/null || { echo "podman layer: $tool is not installed" >&2; exit 1; }
done
unshare --mount --net --pid --cgroup --fork true 2>/dev/null || {
    echo "podman layer: this machine lets nobody make namespaces" >&2
    exit 1
}
