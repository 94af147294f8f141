#!/bin/sh
# Puts SageMaker's training toolkit, and the packages that its command `train` imports, into a directory for an image:
#
#   toolkit.sh PYTHON TARGET
#
# PYTHON must be of the base image's version, because some packages have compiled parts. Packages for several nodes
# and for servers are left out. Does nothing when TARGET exists.
set -eu

python=$1 target=$2
[ ! -e "$target" ] || exit 0
if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo "toolkit.sh: $python is not Python 3.11: what needs the toolkit in an image is SKIPPED" >&2
    exit 0
fi
rm -rf "$target.part"
"$python" -m pip install --quiet --target "$target.part" boto3 six retrying paramiko psutil inotify_simple==1.2.1
# pip warns of a second directory by that name.
rm -r "$target.part/bin"
"$python" -m pip install --quiet --target "$target.part" --no-deps sagemaker-training==5.1.4
mv "$target.part" "$target"
