#!/bin/sh
# Publishes what `make release` made: wheels to an index, the image to a registry, the rest as a
# release of the repository. All is checked before anything leaves the machine.
#
#   publish.sh ARTEFACTS VERSION
#
# IMAGE is the image's name without a tag. Credentials: twine reads TWINE_USERNAME and
# TWINE_PASSWORD, skopeo its own login (skopeo login), and gh GH_TOKEN.
set -eu

artefacts=$1 version=$2
here=$(cd "$(dirname "$0")" && pwd)
PATH=$here/../target/release-tools/bin:$PATH

fail() {
    echo "publish: $1" >&2
    [ $# -lt 2 ] || echo "publish:   hint: $2" >&2
    exit 1
}

[ -n "${IMAGE-}" ] || fail "IMAGE is not set" "IMAGE=registry.example/team/lyftlearn-runtime make publish"
for tool in twine skopeo gh; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
done
[ -f "$artefacts/SHA256SUMS" ] || fail "$artefacts has no SHA256SUMS" "run make release"
(cd "$artefacts" && sha256sum --check --strict --quiet SHA256SUMS) ||
    fail "the artefacts are not what SHA256SUMS says" "run make release"

commit=$(git -C "$here" rev-parse HEAD)
grep -q "\"commit\": \"$commit\"" "$artefacts/release.json" ||
    fail "the artefacts are not of this commit" "run make release, with nothing left to commit"
[ "$(git -C "$here" tag --points-at HEAD --list "v$version")" = "v$version" ] ||
    fail "this commit has no tag v$version" "git tag v$version"

cd "$artefacts"
twine upload --non-interactive ./*.whl ./lyftlearn_runtime-"$version".tar.gz
skopeo copy --all "oci-archive:lyftlearn-runtime-$version-oci.tar" "docker://$IMAGE:$version"
gh release create "v$version" --verify-tag --title "$version" --notes "See CHANGELOG.md." ./*
