#!/bin/sh
# start.py in a mount namespace, as in a container: /run in memory, and nothing of it left
# on the machine.
#
#   run.sh BINARY PYTHON WHEEL
set -eu

here=$(cd "$(dirname "$0")" && pwd)
for tool in strace tini catatonit; do
    command -v "$tool" >/dev/null ||
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y "$tool" >/dev/null
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LYFTLEARN_RUNTIME_LOG=off LYFTLEARN_RUNTIME_PATHS_BASE="$work"
# shellcheck disable=SC2016  # $@ is for the inner shell
unshare --mount --propagation private sh -euc \
    'mount -t tmpfs tmpfs /run; exec "$@"' sh \
    python3 "$here/start.py" "$@"
