# shellcheck shell=bash
# The network: a bridge in a namespace of the control plane, and a namespace for each node, none of them with a default
# route: nothing in the cluster can reach anything outside of it, and an attempt fails at once.
#
#   control   10.88.0.1    etcd, API server and so on; the bridge; kube-proxy of its own, so that Services work from here
#   node I    10.88.0.1I   pods 10.244.I.0/24
#   host      10.88.255.2  a link to the control namespace, with routes to all of the above and to the Services,
#                          which lets connections in and none out

NETNS=/run/netns        # where `ip` keeps namespaces; it mounts it onto itself
CONTROL=$NAME-control
HOST_LINK=$NAME
CONTROL_IP=10.88.0.1
POD_RANGE=10.244.0.0/16
SERVICE_RANGE=10.96.0.0/16
DNS_IP=10.96.0.10

node_index() { echo "${1#node}"; }
node_ip() { echo "10.88.0.1$(node_index "$1")"; }
node_pods() { echo "10.244.$(node_index "$1").0/24"; }

# `nsenter`, not `ip netns exec`, which would mount a /sys without the cgroups.
on() { nsenter --net="$NETNS/$1" "${@:2}"; }

network_create() {
    local node
    modprobe br_netfilter 2> /dev/null || true     # often built in
    [ -d $NETNS ] || echo $NETNS >> "$STATE/made"
    ip netns add "$CONTROL"
    on "$CONTROL" ip link set lo up
    # An address of its own: else it is that of some node's link, and changes under the others when that node dies.
    on "$CONTROL" ip link add br0 address 02:00:0a:58:00:01 type bridge
    on "$CONTROL" ip addr add $CONTROL_IP/24 dev br0
    on "$CONTROL" ip link set br0 up
    on "$CONTROL" ip route add $SERVICE_RANGE dev br0
    for node in "${NODES[@]}"; do on "$CONTROL" ip route add "$(node_pods "$node")" via "$(node_ip "$node")"; done
    on "$CONTROL" sysctl -qw net.ipv4.ip_forward=1
    # What the nodes say to each other over the bridge is not for the control plane's rules.
    on "$CONTROL" sysctl -qw net.bridge.bridge-nf-call-iptables=0 2> /dev/null || true
    host_link_create
}

# The machine's own processes reach the cluster over this link. All filtering is on the cluster's side of it.
host_link_create() {
    local range taken
    for range in 10.88.0.0/16 $POD_RANGE $SERVICE_RANGE; do
        taken=$(ip -4 route show root "$range")
        if [ -n "$taken" ]; then
            say "the machine has a route in $range already, so the cluster is reached by 'cluster exec' alone: $taken"
            return
        fi
    done
    on "$CONTROL" ip link add host type veth peer name $HOST_LINK
    on "$CONTROL" nft -f - << 'N'
table inet e2e-host {
    chain forward {
        type filter hook forward priority filter; policy accept;
        oifname "host" ct state established,related accept
        oifname "host" drop
    }
    chain output {
        type filter hook output priority filter; policy accept;
        oifname "host" ct state established,related accept
        oifname "host" drop
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 10.88.255.2 oifname "br0" masquerade
    }
}
N
    on "$CONTROL" ip addr add 10.88.255.1/30 dev host
    on "$CONTROL" ip link set host up
    # Into the first process's namespace only if that is ours too: a container's own is what its processes need.
    on "$CONTROL" ip link set $HOST_LINK netns $$
    sysctl -qw net.ipv6.conf.$HOST_LINK.disable_ipv6=1 2> /dev/null || true
    ip addr add 10.88.255.2/30 dev $HOST_LINK
    ip link set $HOST_LINK up
    for range in 10.88.0.0/24 $POD_RANGE $SERVICE_RANGE; do ip route add "$range" via 10.88.255.1 dev $HOST_LINK; done
}

host_link_up() { [ -n "$(ip -4 route show $SERVICE_RANGE dev $HOST_LINK 2> /dev/null)" ]; }

network_node_create() { # NODE
    local node=$1 ns=$NAME-$1 other
    network_node_remove "$node"
    ip netns add "$ns"
    on "$ns" ip link set lo up
    on "$ns" ip link add eth0 type veth peer name "$node" netns "$CONTROL"
    on "$CONTROL" ip link set "$node" master br0 up
    on "$ns" ip addr add "$(node_ip "$node")/24" dev eth0
    on "$ns" ip link set eth0 up
    # Service addresses need some route before they are translated.
    on "$ns" ip route add $SERVICE_RANGE dev eth0
    for other in "${NODES[@]}"; do
        [ "$other" = "$node" ] || on "$ns" ip route add "$(node_pods "$other")" via "$(node_ip "$other")"
    done
    on "$ns" sysctl -qw net.ipv4.ip_forward=1
    on "$ns" sysctl -qw net.bridge.bridge-nf-call-iptables=1 2> /dev/null ||
        say "no br_netfilter: a pod does not reach itself or its neighbours through a Service"
}

network_node_down() { on "$CONTROL" ip link set "$1" down 2> /dev/null || true; }

network_node_remove() { # NODE
    on "$CONTROL" ip link del "$1" 2> /dev/null || true
    [ ! -e "$NETNS/$NAME-$1" ] || ip netns del "$NAME-$1"
}

network_remove() {
    local namespace
    ip link del $HOST_LINK 2> /dev/null || true
    for namespace in "$CONTROL" "${NODES[@]/#/$NAME-}"; do
        [ ! -e "$NETNS/$namespace" ] || ip netns del "$namespace"
    done
}
