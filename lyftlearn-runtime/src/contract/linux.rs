//! The kernel's and the container engines' words.

pub(crate) const MOUNTINFO: &str = "/proc/self/mountinfo";
pub(crate) const CGROUP: &str = "/proc/self/cgroup";
/// Where the cgroup hierarchies are mounted.
pub(crate) const CGROUP_MOUNT: &str = "/sys/fs/cgroup";
/// PID 1's argv, for doors that are opened beside it (`kubectl exec`).
pub(crate) const INIT_COMMAND_LINE: &str = "/proc/1/cmdline";
pub(crate) const HOSTS_FILE: &str = "/etc/hosts";
/// What container engines mount into every container.
pub(crate) const ENGINE_FILES: &[&str] = &[HOSTS_FILE, "/etc/resolv.conf", "/etc/hostname"];
/// Tells this boot from every other.
pub(crate) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
pub(crate) const PID_NAMESPACE: &str = "/proc/self/ns/pid";
/// A process's pid and start, its own here.
pub(crate) const PROCESSES: &str = "/proc";
pub(crate) const OWN_PROCESS: &str = "/proc/self/stat";
/// How long the machine runs.
#[cfg(feature = "cli")]
pub(crate) const UPTIME: &str = "/proc/uptime";
pub(crate) const HOSTNAME_FILE: &str = "/proc/sys/kernel/hostname";
pub(crate) const HOSTNAME: &str = "HOSTNAME";
#[cfg(feature = "cli")]
pub(crate) const PASSWD: &str = "/etc/passwd";
#[cfg(feature = "cli")]
pub(crate) const GROUP: &str = "/etc/group";
#[cfg(feature = "cli")]
pub(crate) const HOME: &str = "HOME";
pub(crate) const SHM: &str = "/dev/shm";
pub(crate) const TMPDIR: &str = "TMPDIR";
pub(crate) const TMP: &str = "/tmp";
pub(crate) const DEVICES: &str = "/dev";
pub(crate) const PROCESSORS_ONLINE: &str = "/sys/devices/system/cpu/online";
/// A directory for each Neuron device, and in it one for each of its cores.
pub(crate) const NEURON_DEVICES: &str = "/sys/devices/virtual/neuron_device";
/// Among the names of interfaces.
pub(crate) const LOOPBACK: &str = "lo";
/// The network namespace's sockets (proc_net(5)).
#[cfg(feature = "cli")]
pub(crate) const TCP_SOCKETS: &[&str] = &["/proc/net/tcp", "/proc/net/tcp6"];
/// Each of these with how much it has dropped.
#[cfg(feature = "cli")]
pub(crate) const UDP_SOCKETS: &[&str] = &["/proc/net/udp", "/proc/net/udp6"];
/// This process's open files by number.
#[cfg(feature = "cli")]
pub(crate) const OWN_FILES: &str = "/proc/self/fd";
pub(crate) const INTERFACES: &str = "/sys/class/net";

/// Written by Docker into every container.
pub(crate) const DOCKER_MARK: &str = "/.dockerenv";
/// Written by Podman into every container.
pub(crate) const PODMAN_MARK: &str = "/run/.containerenv";
/// Set by systemd-nspawn, Podman and LXC (systemd's container interface).
pub(crate) const CONTAINER: &str = "container";
