# shellcheck shell=bash
# The local cluster: `up` looks at what runs and starts what does not; a cluster that was made from something else, was
# only half made, or is of before the machine's last start, is taken down first, unless it is another checkout's and runs.

CONTROL_PLANE="etcd apiserver controllers scheduler proxy dns provisioner"

kubectl_() { on "$CONTROL" "$KUBERNETES" kubectl --kubeconfig "$ADMIN" --cache-dir "$STATE/kube-cache" "$@"; }

# What decides whether a cluster may be kept: this folder (but for the images), the programs, the machine's start.
config_hash() {
    hash_of e2e/cluster/lib/{common.sh,cgroup.sh,network.sh,pki.sh,node.sh,node-init,local.sh} e2e/cluster/manifests -- \
"$KUBERNETES" "$ADDONS" "$PAUSE" \
        "$(containerd --version)" "$(runc --version)" "$(cat /proc/sys/kernel/random/boot_id)"
}

local_up() {
    local started=$SECONDS
    as_root
    need_packages cluster
    lock
    binaries
    local want component node
    want=$(config_hash)
    if [ -e "$STATE" ] && ! { [ "$(cat "$STATE/hash" 2> /dev/null)" = "$want" ] && [ -e "$NETNS/$CONTROL" ]; }; then
        ! all_alive || may_replace
        say "there is a cluster that was made otherwise, or only half made: starting anew"
        take_down
    fi
    if [ ! -e "$STATE/hash" ]; then create "$want"; fi
    for component in etcd apiserver; do if ! alive "$component"; then "start_$component"; fi; done
    for node in "${NODES[@]}"; do if ! alive "$node"; then node_start "$node"; fi; done
    wait_for "the API server" 90 "etcd apiserver" kubectl_ get --raw /readyz
    for component in $CONTROL_PLANE; do if ! alive "$component"; then "start_$component"; fi; done
    wait_for "cluster services to be made" 30 "apiserver" kubectl_ apply --server-side --force-conflicts -f "$STATE/base.yaml"
    images_import "${NODES[@]}" &
    local importing=$!
    for node in "${NODES[@]}"; do node_wait "$node"; done
    # The first pod of a namespace needs it.
    wait_for "the default ServiceAccount" 30 "controllers" kubectl_ get serviceaccount default
    wait_for "cluster DNS" 30 "dns" dns_answers
    wait $importing || die "importing the images failed"
    for component in $CONTROL_PLANE "${NODES[@]}"; do
        alive "$component" || { component_ended "$component"; die "$component ended"; }
    done
    say "${#NODES[@]} nodes Ready after $((SECONDS - started)) s"
    print_reach
}

all_alive() {
    local component
    for component in $CONTROL_PLANE "${NODES[@]}"; do alive "$component" || return 1; done
}

print_reach() {
    if host_link_up; then
        say "reach it by KUBECONFIG below, or 'e2e/cluster/cluster kubectl …'; pods and Services by their addresses, from this machine"
    else
        say "reach it by 'e2e/cluster/cluster exec -- COMMAND', 'e2e/cluster/cluster kubectl …'"
    fi
    echo "export KUBECONFIG=$ADMIN"
}

create() { # HASH; the hash is written last, so that a half made state is not taken for a whole one
    local node
    take_down
    mkdir -p "$STATE" "$STATE/volumes"
    # containerd keeps its layers here, and an overlay cannot be stacked on another one.
    [ "$(stat -f -c %T "$STATE")" != overlayfs ] || { rmdir "$STATE/volumes" "$STATE"; die "$STATE is on an overlay: set XDG_STATE_HOME to a folder on a disk"; }
    chmod 711 "$STATE"
    pki_create
    : > "$STATE/resolv.conf"
    sed "s|CONTROL_IP|$CONTROL_IP|; s|DNS_IP|$DNS_IP|" "$HERE/manifests/base.yaml" > "$STATE/base.yaml"
    cat > "$STATE/Corefile" << C
.:53 {
  bind $CONTROL_IP
  errors
  health 127.0.0.1:8080
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig $ADMIN $NAME
    ttl 5
  }
  loadbalance
}
C
    store_update "$PAUSE"
    for node in "${NODES[@]}"; do node_configure "$node"; done
    cgroup_create
    network_create
    echo "$ROOT" > "$STATE/checkout"
    echo "$1" > "$STATE/hash.new"
    mv "$STATE/hash.new" "$STATE/hash"
}

control() { start "$1" "$NAME/system" "$CONTROL" "${@:2}"; }

start_etcd() {
    control etcd "$KUBERNETES" etcd --data-dir "$STATE/etcd" --listen-client-urls http://127.0.0.1:2379 --unsafe-no-fsync \
        --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --log-level warn
}
start_apiserver() {
    local pki=$STATE/pki
    control apiserver "$KUBERNETES" kube-apiserver --etcd-servers http://127.0.0.1:2379 --secure-port 6443 \
        --advertise-address "$CONTROL_IP" --service-cluster-ip-range "$SERVICE_RANGE" --authorization-mode Node,RBAC \
        --enable-admission-plugins NodeRestriction --allow-privileged --profiling=false \
        --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" --client-ca-file "$pki/ca.crt" \
        --service-account-key-file "$pki/sa.pub" --service-account-signing-key-file "$pki/sa.key" \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --kubelet-client-certificate "$pki/admin.crt" --kubelet-client-key "$pki/admin.key" \
        --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP    # names do not resolve
}
start_controllers() {
    local pki=$STATE/pki
    control controllers "$KUBERNETES" kube-controller-manager --kubeconfig "$pki/controllers.kubeconfig" --bind-address 127.0.0.1 \
        --service-account-private-key-file "$pki/sa.key" --root-ca-file "$pki/ca.crt" --use-service-account-credentials \
        --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" --leader-elect=false --profiling=false \
        --flex-volume-plugin-dir "$STATE/plugins" --node-monitor-grace-period 10s --node-monitor-period 2s
}
start_scheduler() {
    control scheduler "$KUBERNETES" kube-scheduler --kubeconfig "$STATE/pki/scheduler.kubeconfig" --bind-address 127.0.0.1 \
        --leader-elect=false --profiling=false
}
# For the control namespace, so that the API server reaches webhooks, and tests reach Services.
start_proxy() {
    control proxy "$KUBERNETES" kube-proxy --kubeconfig "$STATE/pki/proxy.kubeconfig" --proxy-mode nftables --cluster-cidr "$POD_RANGE" \
        --hostname-override "${NODES[0]}" --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0s --conntrack-tcp-timeout-close-wait 0s
}
start_dns() { control dns "$ADDONS" dns -conf "$STATE/Corefile"; }
start_provisioner() { control provisioner "$ADDONS" provisioner --kubeconfig "$ADMIN" --directory "$STATE/volumes"; }

health() { # PORT PATH: an HTTP server of the namespace that this runs in says that it is well
    exec 8<> "/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&8 && head -n1 <&8 | grep -q ' 200'
}
export -f health
dns_answers() { on "$CONTROL" timeout 2 bash -c 'health 8181 /ready'; }

take_down() {
    local node made
    for node in "${NODES[@]}"; do network_node_down "$node"; done
    cgroup_kill "$NAME"
    network_remove
    cgroup_remove "$NAME"
    made=$(cat "$STATE/made" 2> /dev/null) || true
    remove "$STATE"
    case $made in *$NETNS*) ! mountpoint -q $NETNS || [ -n "$(ls $NETNS)" ] || umount $NETNS ;; esac
    # shellcheck disable=SC2086
    [ -z "$made" ] || rmdir $made 2> /dev/null || true
}

local_down() {
    as_root
    lock
    take_down
    rmdir "$(dirname "$STATE")" 2> /dev/null || true
    say "the cluster is down"
}

local_status() {
    local component dead=0 alive=0
    for component in $CONTROL_PLANE "${NODES[@]}"; do
        if alive "$component"; then
            alive=$((alive + 1)); echo "$component: runs, process $(pid_of "$component")"
        else
            dead=$((dead + 1)); echo "$component: does not run"
        fi
    done
    [ $alive -gt 0 ] || return 4
    KUBERNETES=$(kubectl_path)
    "$KUBERNETES" --kubeconfig "$ADMIN" --cache-dir "$STATE/kube-cache" --request-timeout 5s get nodes 2>&1 || true
    [ $dead = 0 ] || return 3
}

local_exec() {
    [ "${1:-}" != -- ] || shift
    [ $# -gt 0 ] || die "exec: which command?" 2
    as_root
    [ -e "$NETNS/$CONTROL" ] || die "there is no cluster: make cluster"
    KUBECONFIG=$ADMIN exec nsenter --net="$NETNS/$CONTROL" "$@"
}

# From the machine's own network where it can, so that `kubectl port-forward` listens there.
reach() {
    [ -e "$STATE/hash" ] || die "there is no cluster: make cluster"
    if host_link_up; then KUBECONFIG=$ADMIN exec "$@"; else local_exec "$@"; fi
}
local_kubectl() { local kubectl; kubectl=$(kubectl_path); reach "$kubectl" "$@"; }
local_helm() { local helm; helm=$(helm_path); reach "$helm" "$@"; }
