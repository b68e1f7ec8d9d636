# shellcheck shell=bash
# Images for the cluster. Each is a Dockerfile and a line in `image`; Docker builds it where it answers, else buildah. An
# image is kept as an archive in the cache, by a hash of what it is made from, and imported into a node when it changed.

IMAGES=(dask-runtime dask-runtime-python dask-operator dask-2026.3.0 dask-2026.8.0)

# image NAME: sets `references` (names in the cluster, by blanks), `dockerfile`, `context`, `arguments` (of the build) and
# `inputs` (what decides the content), paths in the repository.
image() {
    arguments=()
    case $1 in
        dask-runtime | dask-operator)
            references=ghcr.io/dask/$1:dev dockerfile=images/$1/Dockerfile context=.
            inputs=("images/$1" "dist/$(go_arch)/$1" LICENSE THIRD-PARTY-LICENSES) ;;
        dask-runtime-python)
            references="ghcr.io/dask/$1:dev ghcr.io/dask/$1:latest" dockerfile=images/$1/Dockerfile context=.
            inputs=("images/$1" "dist/$(go_arch)/wheel" LICENSE THIRD-PARTY-LICENSES) ;;
        dask-2026.3.0)
            references=ghcr.io/dask/dask:2026.3.0 dockerfile=e2e/cluster/images/dask/Dockerfile context=e2e/cluster/images/dask
            arguments=(DASK=2026.3.0) inputs=("$context") ;;
        dask-2026.8.0)
            references="ghcr.io/dask/dask:2026.8.0 ghcr.io/dask/dask:latest"
            dockerfile=e2e/cluster/images/dask/Dockerfile context=e2e/cluster/images/dask
            arguments=(DASK=2026.8.0) inputs=("$context") ;;
        *) die "no such image: $1 (there are: ${IMAGES[*]})" 2 ;;
    esac
}

image_archive() { # NAME: the archive's path; fails when what it is made from is not there
    local references dockerfile context arguments inputs
    image "$1"
    (cd "$ROOT" && [ -e "${inputs[0]}" ] && [ -e "${inputs[1]:-.}" ]) || return 1
    echo "$CACHE_E2E/images/$1-$(hash_of "${inputs[@]}" -- "$references" "${arguments[@]}" "$(cat "$HERE/lib/buildah-image")").tar"
}

images() { # --list, or names; none means all
    local name archive references dockerfile context arguments inputs
    if [ "${1:-}" = --list ]; then
        for name in "${IMAGES[@]}"; do
            image "$name"
            archive=$(image_archive "$name") && [ -e "$archive" ] || archive='not built'
            echo "$name $references $archive"
        done
        return
    fi
    [ $# -gt 0 ] || set -- "${IMAGES[@]}"
    for name in "$@"; do image "$name"; done
    lock
    mkdir -p "$CACHE_E2E/images"
    for name in "$@"; do
        image "$name"
        archive=$(image_archive "$name") || die "$name: ${inputs[1]} is missing: make dist"
        if [ -e "$archive" ]; then touch "$archive"; continue; fi
        say "building the image $name"
        if have docker && docker info > /dev/null 2>&1; then docker_build; else buildah_build; fi
        mv "$archive.new" "$archive"
        find "$CACHE_E2E/images" -name "$name-*.tar" ! -path "$archive" -mtime +14 -delete
        say "$name: $(($(stat -c %s "$archive") / 1000000)) MB as an archive"
    done
    "${DASK_E2E}_import_images"
}

docker_build() {
    local arg args=() tags=() reference
    for arg in "${arguments[@]}"; do args+=(--build-arg "$arg"); done
    for reference in $references; do tags+=(--tag "$reference"); done
    # shellcheck disable=SC2086
    (cd "$ROOT" && docker build --quiet --build-arg "TARGETARCH=$(go_arch)" "${args[@]}" "${tags[@]}" --file "$dockerfile" "$context" >&2 &&
        docker save --output "$archive.new" $references) || die "building the image failed"
}

# In a mount namespace of its own, as buildah leaves mounts at its storage.
buildah_build() {
    as_root
    need_packages images
    mkdir -p /etc/cni /var/lib/containers       # its own are mounted there, and these stay empty
    unshare --mount "$HERE/lib/buildah-image" "$CACHE_E2E" "$dockerfile" "$context" "$archive.new" "$references" \
        TARGETARCH="$(go_arch)" "${arguments[@]}" >&2 || die "building the image failed"
    rmdir /etc/cni /var/lib/containers 2> /dev/null || true
}

archives() { # DIRECTORY: what is built and not in that record, as pairs of NAME ARCHIVE, by lines
    local name archive
    for name in "${IMAGES[@]}"; do
        archive=$(image_archive "$name") && [ -e "$archive" ] || continue
        [ "$(cat "$1/$name" 2> /dev/null)" = "$archive" ] || echo "$name $archive"
    done
}

# containerd's images as files in the cache. A new node starts with hard links to them, which takes a second or two, where
# an import takes ten; layers and content are never written to, and its databases are copied.
store_update() { # PAUSE-ARCHIVE, `anew` when it was tried before
    local store=$CACHE_E2E/store new
    if [ "$(cat "$store/containerd.version" 2> /dev/null)" != "$(containerd --version)" ]; then
        remove "$store"
        mkdir -p "$store/images"
        containerd --version > "$store/containerd.version"
    fi
    mapfile -t new < <(archives "$store/images"; [ "$(cat "$store/images/pause" 2> /dev/null)" = "$1" ] || echo "pause $1")
    [ ${#new[@]} -gt 0 ] || return 0
    say "importing ${new[*]%% *} into the store that nodes start with"
    # shellcheck disable=SC2046,SC2048,SC2086
    unshare --mount --propagation slave --pid --fork --kill-child --mount-proc "$HERE/lib/store-init" "$store" ${new[*]} >&2 &&
        return
    # containerd may have been ended while it collected what an older image left: then nothing in the store can be relied on.
    [ "${2:-}" != anew ] || die "cannot import the images"
    say "the store is damaged; making it anew"
    remove "$store"
    store_update "$1" anew
}

store_copy() { # NODE
    local store=$CACHE_E2E/store to=$STATE/$1 database
    cp -al "$store/containerd" "$to/containerd" 2> /dev/null || { rm -rf "$to/containerd"; cp -a "$store/containerd" "$to/containerd"; }
    for database in "$store"/containerd/io.containerd.*/*.db; do
        cp --remove-destination "$database" "$to${database#"$store"}"
    done
    cp -r "$store/images" "$to/images"
}

# images_import NODE…: the images that are built, into nodes that have not got them.
images_import() {
    local name node archive pids=() failed=0 pid
    for node in "$@"; do
        (
            archives "$STATE/$node/images" | while read -r name archive; do
                # At once after the node's start, containerd may not listen yet.
                wait_for "$node's containerd" 60 "$node" node_ctr "$node" version
                node_ctr "$node" images import "$archive" > /dev/null < /dev/null
                echo "$archive" > "$STATE/$node/images/$name"
            done
        ) &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    return $failed
}

local_import_images() {
    local node
    as_root
    if [ -z "$(missing_packages cluster)" ]; then
        cached pause "$(hash_of e2e/cluster/pause)" build_pause
        store_update "$REPLY/pause.tar"
    fi
    for node in "${NODES[@]}"; do
        if [ -e "$STATE/hash" ] && alive "$node"; then images_import "$node" || die "importing the images into $node failed"; fi
    done
}
