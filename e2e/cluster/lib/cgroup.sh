# shellcheck shell=bash
# Cgroups: dask-e2e/system for the control plane, dask-e2e/NODE/system for a node's daemons, dask-e2e/NODE/kubepods (the
# kubelet's) for its pods. `down` ends exactly what is in them. On version 1 pods have them in every hierarchy, and the
# daemons in `pids` alone, which is the one to look in.

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    CGROUP_VERSION=2 CGROUP=/sys/fs/cgroup
else
    CGROUP_VERSION=1 CGROUP=/sys/fs/cgroup/pids
fi

cgroup_create() {
    local hierarchy group controller
    if [ $CGROUP_VERSION = 2 ]; then
        # Not tried on a real machine of this version: written by the kernel's documentation. A group that has processes
        # hands no controllers down, so processes are in leaves only; the kubelet hands them down below its root.
        for group in '' "/$NAME" "${NODES[@]/#//$NAME/}"; do
            mkdir -p "$CGROUP$group"
            for controller in $(cat "$CGROUP$group/cgroup.controllers"); do
                echo "+$controller" > "$CGROUP$group/cgroup.subtree_control" 2> /dev/null || true
            done
        done
    else
        [ -d $CGROUP ] || die "no cgroup hierarchy 'pids' at $CGROUP: mount version 2 at /sys/fs/cgroup, or version 1 with it"
        for hierarchy in /sys/fs/cgroup/*/; do
            case $hierarchy in */unified/) continue ;; esac
            for group in "$NAME" "${NODES[@]/#/$NAME/}"; do
                mkdir -p "$hierarchy$group"
                case $hierarchy in
                    */cpuset/)      # a new group's sets are empty, and nothing can run in it
                        cat "${hierarchy}cpuset.cpus" > "$hierarchy$group/cpuset.cpus"
                        cat "${hierarchy}cpuset.mems" > "$hierarchy$group/cpuset.mems" ;;
                esac
            done
        done
    fi
    mkdir -p "$CGROUP/$NAME/system"
    for group in "${NODES[@]}"; do mkdir -p "$CGROUP/$NAME/$group/system"; done
}

cgroup_join() { echo "$2" > "$CGROUP/$1/cgroup.procs"; }     # GROUP PROCESS

cgroup_processes() { # GROUP: the ids of all processes in it and below
    [ -d "$CGROUP/$1" ] || return 0
    # A group may go while it is read.
    find "$CGROUP/$1" -name cgroup.procs -exec cat {} + 2> /dev/null || true
}

# Ends every process in a group and below. Membership of the group is what says that a process is ours, and it is read anew
# for each round.
cgroup_kill() {
    local pids
    for _ in $(seq 100); do
        pids=$(cgroup_processes "$1")
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -9 $pids 2> /dev/null || true
        sleep 0.05
    done
    # shellcheck disable=SC2086
    die "these processes do not end: $(ps -o pid=,stat=,args= -p "$(echo $pids | tr ' ' ,)" || true)"
}

cgroup_directories() { # GROUP: where it is, in each hierarchy
    local directory
    for directory in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do [ ! -d "$directory" ] || echo "$directory"; done
}

# Removes a group, which no process is in any more; the kernel may need a moment to notice.
cgroup_remove() {
    local directories
    for _ in $(seq 50); do
        directories=$(cgroup_directories "$1")
        [ -n "$directories" ] || return 0
        # shellcheck disable=SC2086
        find $directories -depth -type d -exec rmdir {} \; 2> /dev/null || true
        [ -n "$(cgroup_directories "$1")" ] || return 0
        sleep 0.05
    done
    die "cannot remove the cgroup $1 below /sys/fs/cgroup"
}
