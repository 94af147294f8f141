#!/bin/sh
# Makes the cluster's keys, certificates and kubeconfigs: certificates.sh STATE NODE_ADDRESS API_ADDRESS. One
# authority signs all of them; all are made anew by each start, and only their owner may read them.
set -eu
umask 077

state=$1 node=$2 api=$3
cd "$state/pki"

# The subject of RBAC: groups are O, users are CN.
signed() {
    name=$1 subject=$2 names=$3
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj "$subject" \
        -keyout "$name.key" -out "$name.csr" 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$names" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -days 2 -extfile "$name.ext" \
        -out "$name.crt" 2>/dev/null
    rm "$name.csr" "$name.ext"
}

kubeconfig() {
    signed "$1" "$2" DNS:none
    cat >"$state/$1.conf" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: cluster
    cluster: {server: "https://$node:443", certificate-authority: $state/pki/ca.crt}
users:
  - name: $1
    user: {client-certificate: $state/pki/$1.crt, client-key: $state/pki/$1.key}
contexts:
  - name: cluster
    context: {cluster: cluster, user: $1}
current-context: cluster
YAML
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2 -subj /CN=cluster \
    -keyout ca.key -out ca.crt 2>/dev/null
# With it the tokens of service accounts are signed, as with EKS by RSA.
openssl req -x509 -newkey rsa:2048 -noenc -days 2 -subj /CN=tokens -keyout tokens.key -out tokens.crt 2>/dev/null

signed kube-apiserver /CN=kube-apiserver \
    "IP:$node,IP:$api,IP:127.0.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
signed kubelet-client /O=system:masters/CN=kube-apiserver DNS:none
signed kubelet-server /CN=node "IP:$node,DNS:node"
kubeconfig admin /O=system:masters/CN=admin
kubeconfig controller-manager /CN=system:kube-controller-manager
kubeconfig scheduler /CN=system:kube-scheduler
kubeconfig kubelet /O=system:nodes/CN=system:node:node
