# shellcheck shell=bash
# Keys, certificates and kubeconfigs, all made anew for each cluster. Elliptic curves, as RSA keys take a second each.

pki_create() {
    local node
    mkdir -p "$STATE/pki"
    (
        cd "$STATE/pki" || exit
        umask 077
        openssl ecparam -name prime256v1 -genkey -noout -out ca.key
        openssl req -x509 -new -key ca.key -out ca.crt -days 3650 -subj /CN=e2e-ca
        openssl ecparam -name prime256v1 -genkey -noout -out sa.key
        openssl ec -in sa.key -pubout -out sa.pub 2> /dev/null
        certificate apiserver /CN=kube-apiserver "DNS:kubernetes.default.svc.cluster.local,DNS:kubernetes.default.svc,DNS:kubernetes.default,DNS:kubernetes,DNS:localhost,IP:127.0.0.1,IP:$CONTROL_IP,IP:10.96.0.1"
        certificate admin /O=system:masters/CN=admin DNS:admin
        certificate controllers /CN=system:kube-controller-manager DNS:controllers
        certificate scheduler /CN=system:kube-scheduler DNS:scheduler
        certificate proxy /CN=system:kube-proxy DNS:proxy
        for node in "${NODES[@]}"; do
            certificate "$node" "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$(node_ip "$node")"
        done
        for user in controllers scheduler proxy "${NODES[@]}"; do kubeconfig "$user" > "$user.kubeconfig"; done
        kubeconfig admin > "$ADMIN"
    )
}

certificate() { # FILE SUBJECT NAMES
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
    openssl req -new -key "$1.key" -out "$1.csr" -subj "$2"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out "$1.crt" \
        -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth' "$3") 2> /dev/null
    rm "$1.csr"
}

kubeconfig() { # USER; with the keys in it, so that the file may be copied
    cat << C
apiVersion: v1
kind: Config
clusters: [{name: $NAME, cluster: {server: "https://$CONTROL_IP:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
contexts: [{name: $NAME, context: {cluster: $NAME, user: $1}}]
current-context: $NAME
C
}
