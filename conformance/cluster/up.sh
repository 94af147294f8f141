#!/bin/sh
# Starts a Kubernetes cluster of one node, runs a command in it, and ends it:
#
#   enter.sh STORAGE up.sh TARGET IMAGE [COMMAND [ARG…]]
#
# It must run in the namespaces of ../engine/enter.sh: the kernel then ends every component, pod and mount with
# the command. TARGET is where build.sh built, IMAGE one of podman's that pods can use. The command gets KUBECONFIG (an
# administrator's) and a PATH with kubectl; without one it is a shell.
#
# There is no kube-proxy: a Service's ClusterIP does not answer, but its EndpointSlices and its names are real. The
# ClusterIPs of the API server and of DNS are addresses of the node.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$1" && pwd)
image=$2
shift 2
[ "$$" -gt 1 ] && [ -d /run/engine ] || { echo "up.sh: start it by enter.sh" >&2; exit 2; }
PATH=$target/bin:/usr/sbin:$PATH

node=10.199.0.1
api=10.96.0.1
dns=10.96.0.10
state=/run/cluster          # Keys, and etcd's data: in memory, gone with the namespaces.
logs=$target/logs
disk=$target/disk           # Layers of images: overlayfs wants a real file system.

say() {
    echo "cluster: $*" >&2
}

# Waits for a command to succeed. After two minutes it shows the end of the component's log.
wait_for() {
    name=$1
    shift
    attempts=1200
    until "$@" >/dev/null 2>&1; do
        attempts=$((attempts - 1))
        if [ "$attempts" = 0 ]; then
            tail -n 20 "$logs/$name.log" >&2
            say "$name is not ready: see $logs/$name.log"
            exit 1
        fi
        sleep 0.1
    done
}

# Starts a component. It ends with this script, and however else the namespaces end.
component() {
    name=$1
    shift
    setpriv --pdeathsig KILL "$@" >"$logs/$name.log" 2>&1 </dev/null 9>&- &
}

# The files of a run that was killed are of no use to this one.
rm -rf "$disk" "$logs"
mkdir -p "$disk/kubelet" "$disk/pods" "$logs"
(umask 077 && mkdir -p "$state/pki")

# The kubelet needs shared mounts. They stay in this mount namespace.
mount --make-rshared /
# The empty directories /var/lib/kubelet and /var/lib/cni, mount points, stay on the machine.
mkdir -p /var/lib/kubelet /var/lib/cni
mount --bind "$disk/kubelet" /var/lib/kubelet
mount -t tmpfs -o mode=755 tmpfs /var/lib/cni
mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir /var/log/pods /var/log/containers
# The kubelet sets kernel parameters that belong to the whole machine. These files stand in for them, already set.
for parameter in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=$state/sysctl/${parameter%=*}
    mkdir -p "${file%/*}"
    echo "${parameter#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${parameter%=*}"
done
# Where a pod's address is not the node's.
echo 1 >/proc/sys/net/ipv4/ip_forward

# The node's network: no way out of the machine, but a default route, which a kubelet looks for.
ip link add eth0 type veth peer name nowhere
ip address add "$node/24" dev eth0
ip address add "$api/32" dev eth0
ip address add "$dns/32" dev eth0
ip link set eth0 up
ip link set nowhere up
ip route add default dev eth0

"$here/certificates.sh" "$state" "$node" "$api"
for file in kubelet.yaml containerd.toml cni.conflist; do
    sed -e "s|@STATE@|$state|g" -e "s|@DISK@|$disk|g" -e "s|@HERE@|$here|g" "$here/$file" >"$state/$file"
done
mkdir "$state/cni"
mv "$state/cni.conflist" "$state/cni/"

say "starting etcd, containerd and the API server"
component etcd etcd --data-dir "$state/etcd" --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
component containerd containerd --config "$state/containerd.toml"
# The gate's estimate asks watches for their progress, which Debian 12's etcd does not report.
component kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 \
    --bind-address 0.0.0.0 --advertise-address "$node" --secure-port 443 --service-cluster-ip-range 10.96.0.0/16 \
    --feature-gates SizeBasedListCostEstimate=false --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged \
    --client-ca-file "$state/pki/ca.crt" --tls-cert-file "$state/pki/kube-apiserver.crt" \
    --tls-private-key-file "$state/pki/kube-apiserver.key" \
    --kubelet-client-certificate "$state/pki/kubelet-client.crt" --kubelet-client-key "$state/pki/kubelet-client.key" \
    --kubelet-preferred-address-types InternalIP --kubelet-certificate-authority "$state/pki/ca.crt" \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$state/pki/tokens.crt" \
    --service-account-signing-key-file "$state/pki/tokens.key"
export KUBECONFIG="$state/admin.conf"

# Images, while the API server starts.
ctr="ctr --address /run/containerd/containerd.sock --namespace k8s.io"
wait_for containerd $ctr version
load() {
    # Compressing what is unpacked at once would take most of a start.
    podman save --quiet --uncompressed --format oci-archive --output "$disk/image.tar" "$1"
    # Unpacked here, and not by the first pods at the same time.
    $ctr images import "$disk/image.tar" >/dev/null
    rm "$disk/image.tar"
}
if ! podman image exists localhost/pause:latest; then
    (cd "$target" && printf 'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n' |
        podman build --quiet --network none --tag localhost/pause:latest --file - . >/dev/null)
fi
load localhost/pause:latest
say "loading $image"
load "$image"

wait_for kube-apiserver kubectl get --raw /readyz
say "starting controllers, scheduler and kubelet"
component kube-controller-manager kube-controller-manager --kubeconfig "$state/controller-manager.conf" \
    --root-ca-file "$state/pki/ca.crt" --service-account-private-key-file "$state/pki/tokens.key" \
    --use-service-account-credentials --leader-elect=false --node-monitor-grace-period 30s
component kube-scheduler kube-scheduler --kubeconfig "$state/scheduler.conf" --leader-elect=false
cat >"$state/Corefile" <<CONFIGURATION
cluster.local:53 {
    errors
    kubernetes {
        kubeconfig $KUBECONFIG
    }
}
CONFIGURATION
component coredns coredns -conf "$state/Corefile"
component kubelet kubelet --kubeconfig "$state/kubelet.conf" --config "$state/kubelet.yaml" \
    --hostname-override node --node-ip "$node"
wait_for kubelet kubectl wait --for condition=Ready node/node --timeout 1s
wait_for kube-controller-manager kubectl get serviceaccount default
wait_for kube-controller-manager kubectl get configmap kube-root-ca.crt
# A socket of UDP at port 53.
wait_for coredns grep -qi ':0035 ' /proc/net/udp /proc/net/udp6
say "ready: $(kubectl version -o yaml | sed -n 's/^  gitVersion: //p' | tail -n 1)"

if [ $# = 0 ]; then
    say "this shell has kubectl; the cluster ends with it"
    set -- "${SHELL:-/bin/sh}"
fi
# Not by exec: the cluster would go on until the last component has ended.
status=0
"$@" || status=$?
exit "$status"
