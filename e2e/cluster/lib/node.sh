# shellcheck shell=bash
# Nodes of the local cluster. A node is one process, lib/node-init, in namespaces of its own (processes, mounts, network,
# host name): when it is killed, the kernel kills every process of the node and takes its mounts away.

is_node() { local n; for n in "${NODES[@]}"; do [ "$n" = "${1:-}" ] && return; done; die "no such node: ${1:-} (there are: ${NODES[*]})" 2; }

node_configure() { # NODE: the files that its daemons read
    local node=$1 d=$STATE/$1
    mkdir -p "$d"/{cni,opt,kubelet,log}
    store_copy "$node"
    cat > "$d/containerd.toml" << C
version = 2
root = "$d/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$d/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "e2e.local/pause:1"
  # Without CAP_SYS_RESOURCE runc would die of the score that the kubelet asks for.
  restrict_oom_score_adj = true
  # Else a pod's network namespace would outlive the node.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$CNI"
    conf_dir = "$d/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
C
    cat > "$d/cni/10-bridge.conflist" << C
{"cniVersion": "1.0.0", "name": "$NAME", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true, "ipam": {"type": "host-local",
   "ranges": [[{"subnet": "$(node_pods "$node")"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
C
    cat > "$d/kubelet.yaml" << C
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $STATE/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $STATE/pki/$node.crt
tlsPrivateKeyFile: $STATE/pki/$node.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDomain: cluster.local
clusterDNS: [$DNS_IP]
resolvConf: $STATE/resolv.conf
volumePluginDir: $d/plugins
cgroupDriver: cgroupfs
cgroupRoot: /$NAME/$node
failCgroupV1: false
failSwapOn: false
maxPods: 200
serializeImagePulls: false
evictionHard: {memory.available: 200Mi, nodefs.available: "1%", imagefs.available: "1%"}
# Images are imported, and could not be pulled again.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
syncFrequency: 10s
# A dead node is noticed within the controller manager's --node-monitor-grace-period.
nodeStatusUpdateFrequency: 2s
nodeLeaseDurationSeconds: 8
C
}

node_start() { # NODE
    local node=$1 directory
    node_kill "$node"
    network_node_create "$node"
    rm -f "$STATE/$node/failed"
    # Each node mounts its own there; `down` removes what was not there before.
    for directory in /var/lib/kubelet /var/lib/cni; do
        [ -d $directory ] || { echo $directory >> "$STATE/made" && mkdir -p $directory; }
    done
    start "$node" "$NAME/$node/system" "$NAME-$node" \
        unshare --mount --propagation slave --uts --ipc --pid --fork --kill-child --mount-proc \
        "$HERE/lib/node-init" "$node" "$(node_ip "$node")" "$STATE" "$KUBERNETES" "$PAUSE" "${NODES[@]}"
}

node_kill() { # NODE: the link first, so that nobody hears a connection end
    local node=$1 pid
    network_node_down "$node"
    if pid=$(pid_of "$node") && grep -qz unshare "/proc/$pid/cmdline"; then kill -9 "$pid" 2> /dev/null || true; fi
    cgroup_kill "$NAME/$node"
    cgroup_remove "$NAME/$node/kubepods"    # else the next kubelet looks for the container of each for seconds
    network_node_remove "$node"
    rm -f "$STATE/pids/$node"
}

# The node's first process, as the machine sees it.
node_init_pid() { local pid; pid=$(pid_of "$1") && pgrep -P "$pid"; }

node_ctr() { # NODE ARGUMENTS…
    local pid
    pid=$(node_init_pid "$1") || die "$1 does not run"
    nsenter --target "$pid" --mount --pid --net --uts --ipc ctr -a /run/containerd/containerd.sock -n k8s.io "${@:2}"
}

node_healthy() { on "$NAME-$1" timeout 2 bash -c 'health 10248 /healthz'; }

node_ready() { # NODE SINCE: Ready, by a kubelet that has said so since then
    local renewed
    renewed=$(kubectl_ get --namespace kube-node-lease lease "$1" -o 'jsonpath={.spec.renewTime}') &&
        [[ $renewed > $2 ]] &&
        kubectl_ get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -qx True
}

# The API server may still show what it knew before the node was killed; so the kubelet's own word is waited for first.
node_wait() {
    local since
    since=$(date -u -r "$STATE/pids/$1" +%Y-%m-%dT%H:%M:%S)
    wait_for "$1's kubelet" 90 "$1" node_healthy "$1"
    wait_for "$1 to be Ready" 90 "$1" node_ready "$1" "$since"
}

local_kill_node() {
    as_root
    is_node "${1:-}"
    [ -e "$STATE/hash" ] || die "there is no cluster: make cluster"
    lock
    node_kill "$1"
    say "$1 is dead; it is NotReady in about 10 s"
}

local_start_node() {
    as_root
    is_node "${1:-}"
    [ -e "$STATE/hash" ] || die "there is no cluster: make cluster"
    binaries
    lock
    if ! alive "$1"; then node_start "$1"; fi
    node_wait "$1"
    images_import "$1"
    say "$1 is Ready"
}

local_ctr() { as_root; is_node "${1:-}"; node_ctr "$@"; }
