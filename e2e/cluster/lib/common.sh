# shellcheck shell=bash
# What every part uses: names and paths, messages, the lock, and the processes that a pid file names.

NAME=dask-e2e
NODES=(node0 node1)
CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dask-runtime}
CACHE_E2E=$CACHE/e2e
# Not below /run or /var/log or /var/lib/kubelet, which every node has its own of.
STATE=${XDG_STATE_HOME:-$HOME/.local/state}/$NAME
ADMIN=$STATE/kubeconfig

say() { echo "cluster: $*" >&2; }
die() { echo "cluster: $1" >&2; exit "${2:-1}"; }
have() { command -v "$1" > /dev/null; }

DASK_E2E=${DASK_E2E:-$(if have kind && have docker && docker info > /dev/null 2>&1; then echo kind; else echo local; fi)}
case $DASK_E2E in kind | local) ;; *) die "DASK_E2E=$DASK_E2E: must be kind or local" 2 ;; esac

# Only one command changes the cluster at a time. The lock is a descriptor that no daemon gets: see `start`.
lock() {
    mkdir -p "$CACHE_E2E"
    exec 9> "$CACHE_E2E/lock"
    flock -n 9 && return
    say "waiting for another command that changes the cluster"
    flock -w 1200 9 || die "the other one has not ended: see 'fuser $CACHE_E2E/lock'"
}

# A cluster that runs and that another checkout made otherwise is in somebody's use: it is not taken from them unasked.
may_replace() {
    local other
    other=$(cat "$STATE/checkout" 2> /dev/null) || other='a checkout that is not known'
    [ "$other" != "$ROOT" ] && [ -z "${DASK_E2E_REPLACE:-}" ] || return 0
    die "a cluster runs that was made otherwise, by $other.
         Run scenarios on it by E2E_KUBECONFIG=$ADMIN, end it by 'e2e/cluster/cluster down',
         or set DASK_E2E_REPLACE=1 to have it replaced"
}

as_root() { [ "$(id -u)" = 0 ] || die "the local cluster needs root (namespaces, mounts, cgroups): run it as root, e.g. sudo -E"; }

# Hash of files' names and content, and of the arguments after --.
hash_of() {
    local files=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do files+=("$1"); shift; done
    { printf '%s\n' "$@"; [ ${#files[@]} = 0 ] || (cd "$ROOT" && find "${files[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); } |
        sha256sum | cut -c1-16
}

# A pid file holds the process id and the process's start time, so that another process with that id is not taken for it.
start_time() { # PID; field 22, counted after the command's name, which may hold blanks
    local stat
    stat=$(cat "/proc/$1/stat" 2> /dev/null) || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    echo "${20}"
}

pid_of() { # NAME: prints the id of a component's process if it lives
    local pid time
    { read -r pid time < "$STATE/pids/$1"; } 2> /dev/null || return 1
    [ "$(start_time "$pid")" = "$time" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2> /dev/null && echo "$pid"
}

alive() { pid_of "$1" > /dev/null; }

# start NAME CGROUP NAMESPACE COMMAND…: a daemon in a cgroup (by which `down` finds it and all it starts) and a network
# namespace. It writes its own pid file before it lets go of the lock, so that no other `up` can miss it, and then becomes
# the command by exec.
start() {
    local name=$1 cgroup=$2 namespace=$3 pid fd
    shift 3
    mkdir -p "$STATE/log" "$STATE/pids"
    [ ! -s "$STATE/log/$name.log" ] || mv "$STATE/log/$name.log" "$STATE/log/$name.log.1"
    (
        pid=$BASHPID    # in a substitution it would be another one
        cgroup_join "$cgroup" "$pid"
        echo "$pid $(start_time "$pid")" > "$STATE/pids/$name"
        # The lock, and what whoever called this has open, such as a lock of theirs; 255 is bash's own.
        for fd in "/proc/$pid/fd/"*; do
            fd=${fd##*/}
            case $fd in 0 | 1 | 2 | 255) ;; *) exec {fd}>&- ;; esac
        done
        exec setsid nsenter --net="$NETNS/$namespace" "$@"
    ) > "$STATE/log/$name.log" 2>&1 < /dev/null &
    until alive "$name"; do
        kill -0 $! 2> /dev/null || return 0     # whoever waits for it says so
        sleep 0.01
    done
}

last_lines() { # NAME: the end of a component's log
    echo "--- the last lines of $STATE/log/$1.log:" >&2
    tail -n 25 "$STATE/log/$1.log" | cut -c1-400 >&2 || true
}

# wait_for WHAT SECONDS COMPONENTS COMMAND…: until the command succeeds, or one of the components (names, by blanks) ends.
wait_for() {
    local what=$1 end=$((SECONDS + $2)) components=$3 component
    shift 3
    until "$@" > /dev/null 2>&1; do
        for component in $components; do
            if ! alive "$component"; then
                sleep 0.3
                component_ended "$component"
                die "$component ended while waiting for $what"
            fi
        done
        if [ $SECONDS -ge $end ]; then
            for component in $components; do last_lines "$component"; done
            die "no success in time: $what"
        fi
        sleep 0.1
    done
}

component_ended() { # NAME
    local failed
    last_lines "$1"
    if failed=$(cat "$STATE/$1/failed" 2> /dev/null); then last_lines "$1-$failed"; fi
}

# True when something is mounted at or below a path; reading it never blocks, as a stat of a dead mount might.
mounted_below() { awk -v p="$1" '$5 == p || index($5, p "/") == 1 { found = 1 } END { exit !found }' /proc/self/mountinfo; }

# Removes a folder of ours, and nothing that is mounted in it.
remove() {
    local path
    for path in "$@"; do
        [ -e "$path" ] || continue
        awk -v p="$path" '$5 == p || index($5, p "/") == 1 { print $5 }' /proc/self/mountinfo | sort -r |
            while read -r mount; do umount -l "$(printf '%b' "$mount")"; done
        ! mounted_below "$path" || die "something is still mounted below $path; not removing it"
        # Image layers side by side: unlinking waits for the disk, not for the processor.
        find "$path" -xdev -mindepth 5 -maxdepth 5 -print0 | xargs -0 -r -n 2 -P 8 rm -rf --one-file-system
        rm -rf --one-file-system "$path"
    done
}

print_path() {
    case ${1:-} in
        helm) helm_path ;;
        kubectl) kubectl_path ;;
        kubeconfig) echo "$ADMIN" ;;
        state) echo "$STATE" ;;
        volumes) echo "$STATE/volumes" ;;
        log) echo "$STATE/log" ;;
        *) die "path: helm, kubectl, kubeconfig, state, volumes or log" 2 ;;
    esac
}

CNI=/usr/lib/cni
[ ! -x /opt/cni/bin/bridge ] || CNI=/opt/cni/bin

# package:command, for every program that the local cluster (first list) and its images (second) need.
PACKAGES_CLUSTER=(containerd:containerd runc:runc "containernetworking-plugins:$CNI/bridge" nftables:nft
    iptables:iptables conntrack:conntrack iproute2:ip openssl:openssl util-linux:nsenter gcc:cc procps:ps)
PACKAGES_IMAGES=(debootstrap:debootstrap buildah:buildah)

missing_packages() { # cluster|images|all: prints the missing ones' names
    local list=() entry found=''
    case $1 in cluster | all) list+=("${PACKAGES_CLUSTER[@]}") ;; esac
    case $1 in images | all) list+=("${PACKAGES_IMAGES[@]}") ;; esac
    for entry in "${list[@]}"; do
        have "${entry#*:}" || found+="${found:+ }${entry%%:*}"
    done
    echo "$found"
}

need_packages() { # cluster|images
    local missing
    missing=$(missing_packages "$1")
    [ -z "$missing" ] || die "missing: $missing. Get them by: e2e/cluster/cluster install
         or: apt-get install -y --no-install-recommends $missing"
}

install_packages() {
    local missing
    [ "$DASK_E2E" = local ] || { say "kind and Docker are here; nothing to install"; return; }
    missing=$(missing_packages all)
    [ -n "$missing" ] || { say "nothing is missing"; return; }
    as_root
    have apt-get || die "no apt-get here; install by hand: $missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
}
