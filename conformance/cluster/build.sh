#!/bin/sh
# Builds what the cluster consists of, and what it starts pods with:
#
#   build.sh TARGET
#
# TARGET/kubernetes is one binary with API server, controller manager, scheduler, kubelet and kubectl,
# TARGET/bin has a link for each and CoreDNS; TARGET/pause is the process that holds a pod's namespaces. Versions are those
# of kubernetes/go.mod and coredns/go.mod, checked against their go.sum. The first build takes some twelve minutes on two
# processors.
# Needs root, Go 1.24 or newer, and Debian's package musl-tools.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/bin"
target=$(cd "$1" && pwd)

"$here/../setup.sh" etcd-server containerd runc containernetworking-plugins openssl musl-tools
command -v go >/dev/null || { echo "build.sh: Go is missing: install Go 1.24 or newer" >&2; exit 1; }

cd "$here/kubernetes"
version=$(go list -mod=readonly -m -f '{{.Version}}' k8s.io/kubernetes)
# Another version, or other sources of the same one, are built again.
wanted=$(cat go.sum main.go ../coredns/go.sum ../coredns/main.go | sha256sum)
if ! [ "$(cat "$target/built" 2>/dev/null)" = "$wanted" ]; then
    echo "building Kubernetes $version (some minutes)" >&2
    minor=${version#v1.}
    package=k8s.io/component-base/version
    # Components compare versions with each other, and refuse to run without one.
    nice -n 10 go build -mod=readonly -trimpath -o "$target/kubernetes" -ldflags \
        "-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}" .
    for component in kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do
        ln -sf ../kubernetes "$target/bin/$component"
    done
    (cd ../coredns && nice -n 10 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$target/bin/coredns" .)
    # Kubernetes' own, as it builds it.
    source=$(go list -mod=readonly -m -f '{{.Dir}}' k8s.io/kubernetes)/build/pause/linux/pause.c
    musl-gcc -Os -static -DVERSION="$version" -o "$target/pause" "$source"
    echo "$wanted" >"$target/built"
fi
