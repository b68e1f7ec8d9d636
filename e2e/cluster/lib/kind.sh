# shellcheck shell=bash
# The same commands on a cluster made by kind. Written by the documentation of kind and not run where this was written,
# as there is no Docker there. Differences: kind names its nodes itself (`kubectl` shows dask-e2e-worker and -worker2,
# while kill-node and start-node take node0 and node1 for them), and its volumes stay on the node where they were made.

KIND_CONFIG='kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes: [{role: control-plane}, {role: worker}, {role: worker}]
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  controllerManager: {extraArgs: {node-monitor-grace-period: 10s, node-monitor-period: 2s}}
- |
  kind: KubeletConfiguration
  nodeStatusUpdateFrequency: 2s
  nodeLeaseDurationSeconds: 8
'

kind_node() {
    case ${1:-} in
        node0 | "$NAME-worker") echo "$NAME-worker" ;;
        node1 | "$NAME-worker2") echo "$NAME-worker2" ;;
        *) die "no such node: ${1:-} (there are: ${NODES[*]})" 2 ;;
    esac
}

kind_containers() { docker ps --quiet "$@" --filter "label=io.x-k8s.kind.cluster=$NAME"; }

kind_up() {
    local want
    want=$(hash_of -- "$KIND_CONFIG" "${KIND_NODE_IMAGE:-}")
    lock
    mkdir -p "$STATE"
    if ! kind get clusters 2> /dev/null | grep -qx "$NAME" ||
        ! { [ "$(cat "$STATE/hash" 2> /dev/null)" = "$want" ] && kind get kubeconfig --name $NAME > "$ADMIN"; }; then
        [ -z "$(kind_containers)" ] || may_replace
        kind delete cluster --name $NAME >&2
        kind create cluster --name $NAME ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"} --kubeconfig "$ADMIN" --wait 120s \
            --config - <<< "$KIND_CONFIG" >&2
        rm -rf "$STATE/images"
        echo "$ROOT" > "$STATE/checkout"
        echo "$want" > "$STATE/hash"
    fi
    chmod 600 "$ADMIN"
    local container
    for container in $(kind_containers --filter status=exited); do docker start "$container" > /dev/null; done
    kubectl --kubeconfig "$ADMIN" wait --for=condition=Ready node --all --timeout=120s >&2
    kind_import_images
    echo "export KUBECONFIG=$ADMIN"
}

kind_down() {
    lock
    kind delete cluster --name $NAME >&2
    remove "$STATE"
}

kind_status() {
    local all running
    all=$(kind_containers --all | wc -l) running=$(kind_containers | wc -l)
    echo "$running of $all nodes' containers run"
    [ "$running" -gt 0 ] || return 4
    kubectl --kubeconfig "$ADMIN" --request-timeout 5s get nodes || true
    [ "$running" = "$all" ] || return 3
}

kind_exec() {
    [ "${1:-}" != -- ] || shift
    [ $# -gt 0 ] || die "exec: which command?" 2
    # As a container in the control plane's network would; the machine's programs are kept.
    local pid
    pid=$(docker inspect --format '{{.State.Pid}}' "$NAME-control-plane") || die "there is no cluster: make cluster"
    kind get kubeconfig --name $NAME --internal > "$STATE/internal.kubeconfig"
    # Docker's names do not resolve there, but the certificate is for localhost, too.
    sed -i "s|server: .*|server: https://127.0.0.1:6443|" "$STATE/internal.kubeconfig"
    exec sudo env "PATH=$PATH" "KUBECONFIG=$STATE/internal.kubeconfig" nsenter --net="/proc/$pid/ns/net" "$@"
}

kind_kubectl() { KUBECONFIG=$ADMIN exec kubectl "$@"; }
kind_helm() { KUBECONFIG=$ADMIN exec "$(helm_path)" "$@"; }
kind_ctr() { exec docker exec "$(kind_node "${1:-}")" ctr -n k8s.io "${@:2}"; }

kind_kill_node() {
    local node
    node=$(kind_node "${1:-}")
    docker kill "$node" > /dev/null
    say "$1 is dead; it is NotReady in about 10 s"
}

kind_start_node() {
    local node
    node=$(kind_node "${1:-}")
    docker start "$node" > /dev/null
    kubectl --kubeconfig "$ADMIN" wait --for=condition=Ready "node/$node" --timeout=120s >&2
}

kind_import_images() {
    local name archive
    kind get clusters 2> /dev/null | grep -qx "$NAME" || return 0
    mkdir -p "$STATE/images"
    for name in "${IMAGES[@]}"; do
        archive=$(image_archive "$name") && [ -e "$archive" ] || continue
        [ "$(cat "$STATE/images/$name" 2> /dev/null)" != "$archive" ] || continue
        kind load image-archive "$archive" --name $NAME >&2
        echo "$archive" > "$STATE/images/$name"
    done
}
