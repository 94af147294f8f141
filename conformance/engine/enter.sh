#!/bin/sh
# Runs a command where podman can be used and cannot leave anything behind:
#
#   enter.sh STORAGE COMMAND [ARG…]
#   enter.sh --beside PID STORAGE COMMAND [ARG…]
#
# The command gets mount, pid, network and cgroup namespaces of its own. When
# it ends, or this script does (SIGKILL included), the kernel ends every
# container, unmounts every layer and drops every bridge and firewall rule.
# Only STORAGE stays: images, so that the next run need not build them again;
# and after SIGKILL empty cgroups, which the next run removes. (The empty
# directory /var/lib/containers/cache, a mount point, stays too.)
# One run per STORAGE at a time; a second one waits. With --beside the command
# runs where PID does, a process of a run that has not ended.
#
# Needs root, podman, crun, catatonit, netavark, iptables, iproute2, util-linux.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

# The hierarchies of cgroup v1 as /proc/self/cgroup names them ("cpu,cpuacct",
# "name=systemd"). Empty on pure cgroup v2, where podman needs no help.
hierarchies() {
    [ -e /sys/fs/cgroup/cgroup.controllers ] ||
        sed -n 's/^[1-9][0-9]*:\(..*\):.*$/\1/p' /proc/self/cgroup
}

# This process's group in one hierarchy.
own_cgroup() {
    path=$(sed -n "s/^[1-9][0-9]*:$1:\(.*\)\$/\1/p" /proc/self/cgroup)
    echo "/sys/fs/cgroup/${1#name=}${path%/}"
}

remove_cgroups() {
    for hierarchy in $(hierarchies); do
        directory=$(own_cgroup "$hierarchy")/$1
        # A killed process leaves its cgroup a moment after its death.
        attempts=100
        while [ -d "$directory" ] && [ "$attempts" -gt 0 ]; do
            find "$directory" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
            attempts=$((attempts - 1))
        done
    done
}

make_cgroups() {
    for hierarchy in $(hierarchies); do
        parent=$(own_cgroup "$hierarchy")
        mkdir -p "$parent/$1"
        case ",$hierarchy," in *,cpuset,*)
            # A new cpuset is empty, and nothing can run in an empty one.
            cat "$parent/cpuset.cpus" >"$parent/$1/cpuset.cpus"
            cat "$parent/cpuset.mems" >"$parent/$1/cpuset.mems"
            ;;
        esac
    done
}

outside() {
    storage=$1
    shift
    mkdir -p "$storage"
    storage=$(cd "$storage" && pwd)
    exec 8<&0 9<"$storage"
    flock 9
    group=lyftlearn-image-$(stat -c %i "$storage")
    remove_cgroups "$group" # of a run that was killed
    make_cgroups "$group"

    # A shell ignores SIGINT on behalf of what it starts in the background;
    # containers would inherit that. The death signal covers SIGKILL.
    env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
        "$here/enter.sh" --join "$group" "$storage" "$@" <&8 8<&- &
    child=$!
    trap 'kill -KILL "$child" 2>/dev/null; exit 130' INT
    trap 'kill -KILL "$child" 2>/dev/null; exit 143' TERM HUP
    trap 'wait "$child" 2>/dev/null || :; remove_cgroups "$group"' EXIT
    wait "$child"
}

join() {
    group=$1
    shift
    for hierarchy in $(hierarchies); do
        directory=$(own_cgroup "$hierarchy")
        # A process that has already moved is in the group itself.
        echo $$ >"${directory%"/$group"}/$group/cgroup.procs"
    done
    # catatonit as PID 1 reaps what podman leaves to it; podman would take an
    # unreaped conmon for a living one.
    exec unshare --mount --net --pid --cgroup --fork --kill-child --mount-proc \
        --propagation slave catatonit -- "$here/enter.sh" --inside "$@"
}

# What tells podman of the run's own files.
environment() {
    export CONTAINERS_CONF=/run/engine/containers.conf
    export CONTAINERS_STORAGE_CONF=/run/engine/storage.conf
    export TMPDIR="$1/tmp"
    # podman would use systemd for the probes of a pod; there is no systemd here.
    export DISABLE_HC_SYSTEMD=true
}

beside() {
    pid=$1 storage=$(cd "$2" && pwd)
    shift 2
    environment "$storage"
    # A namespace is no cgroup: what is started here stays outside of the run's
    # until it moves. A hierarchy's top directory is the run's own group.
    # shellcheck disable=SC2016  # $directory and $$ are that shell's.
    exec nsenter --target "$pid" --mount --net --pid --cgroup -- sh -c '
        for directory in /sys/fs/cgroup/*/; do
            [ ! -e "$directory/tasks" ] || echo $$ >"$directory/cgroup.procs"
        done
        exec "$@"' beside "$@"
}

inside() {
    storage=$1
    shift

    # podman's state belongs to the run: on the next one it finds a machine
    # that has just booted.
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    # Where podman remembers blobs no setting can change.
    mkdir -p /var/lib/containers/cache
    mount -t tmpfs -o mode=755 tmpfs /var/lib/containers/cache
    ip link set lo up

    # cgroup v1 as seen from the group above, and without the cgroup v2 mount
    # of hybrid machines, which crun would take for the only one.
    if [ -n "$(hierarchies)" ]; then
        mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
        for hierarchy in $(hierarchies); do
            directory=/sys/fs/cgroup/${hierarchy#name=}
            case $hierarchy in name=*) options=none,$hierarchy ;; *) options=$hierarchy ;; esac
            mkdir "$directory"
            mount -t cgroup -o "$options" cgroup "$directory"
            for alias in $(echo "${hierarchy#name=}" | tr , ' '); do
                [ -e "/sys/fs/cgroup/$alias" ] ||
                    ln -s "${hierarchy#name=}" "/sys/fs/cgroup/$alias"
            done
        done
    fi

    mkdir -p /run/engine "$storage/tmp" "$storage/volumes"
    sed -e "s|@ENGINE@|$here|g" -e "s|@STORAGE@|$storage|g" \
        "$here/containers.conf" >/run/engine/containers.conf
    sed -e "s|@STORAGE@|$storage|g" "$here/storage.conf" >/run/engine/storage.conf
    environment "$storage"
    # podman's database names the directories it was made for, and they count more than any
    # setting: a storage that was copied or moved would go on writing to the other place.
    database=$storage/images/libpod/bolt_state.db
    if [ -e "$database" ] && ! grep -aqF "static-dir$storage/images/libpod" "$database"; then
        rm "$database"
    fi
    # Images are kept; pods, containers and volumes of a run that was killed
    # would stand in the way of this one.
    # Podman takes containers in any order, and one that holds another's network
    # cannot go first: the second time it can.
    for kind in pod container volume; do
        podman "$kind" rm --all --force >/dev/null 2>&1 ||
            podman "$kind" rm --all --force >/dev/null
    done
    # Every build leaves the one before it behind, without a name.
    podman image prune --force >/dev/null
    exec "$@"
}

case ${1-} in
--join) shift && join "$@" ;;
--inside) shift && inside "$@" ;;
--beside) shift && beside "$@" ;;
*)
    if [ $# -lt 2 ]; then
        echo "usage: enter.sh [--beside PID] STORAGE COMMAND [ARG…]" >&2
        exit 2
    fi
    outside "$@"
    ;;
esac
