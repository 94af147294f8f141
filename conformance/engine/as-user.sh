#!/bin/sh
# Runs a command inside of enter.sh as an unprivileged user, with that user's own podman:
#
#   as-user.sh HOME COMMAND [ARG…]
#
# HOME becomes that user's; images lie below it. Needs uidmap and slirp4netns beside what enter.sh
# needs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# What names the user is seen by the command alone.
if [ "$1" != --inside ]; then
    exec unshare --mount --propagation slave "$here/as-user.sh" --inside "$@"
fi
home=$2
shift 2
id=4321

mkdir -p /run/user/$id /run/as-user
for file in passwd group subuid subgid; do
    cp "/etc/$file" /run/as-user/ 2>/dev/null || : >"/run/as-user/$file"
    [ -e "/etc/$file" ] || : >"/etc/$file"
    mount --bind "/run/as-user/$file" "/etc/$file"
done
echo "checker:x:$id:$id::$home:/bin/sh" >>/etc/passwd
echo "checker:x:$id:" >>/etc/group
echo "checker:200000:65536" | tee -a /etc/subuid >>/etc/subgid
# Open to everybody, as udev makes it.
mknod -m 666 /run/as-user/tun c 10 200
mount --bind /run/as-user/tun /dev/net/tun

mkdir -p "$home/.config/containers"
# The machine's may not raise limits: see crun-without-rlimits.
cat >"$home/.config/containers/containers.conf" <<CONF
[containers]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun-without-rlimits"
[engine.runtimes]
crun-without-rlimits = ["$here/crun-without-rlimits"]
CONF
printf '[storage]\ndriver = "overlay"\n' >"$home/.config/containers/storage.conf"
chown -R $id:$id "$home" /run/user/$id
cd "$home"
exec setpriv --reuid=$id --regid=$id --init-groups --inh-caps=-all \
    env -i HOME="$home" XDG_RUNTIME_DIR=/run/user/$id PATH=/usr/bin:/bin:/usr/sbin:/sbin \
    DISABLE_HC_SYSTEMD=true "$@"
