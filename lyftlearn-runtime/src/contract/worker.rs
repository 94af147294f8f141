//! What launchers tell each process that they start.

/// torchrun's and others'.
pub(crate) const LOCAL_RANK: &str = "LOCAL_RANK";
pub(crate) const LOCAL_WORLD_SIZE: &str = "LOCAL_WORLD_SIZE";
/// Failures so far; a change in the number of nodes does not count.
pub(crate) const RESTARTS: &str = "TORCHELASTIC_RESTART_COUNT";
pub(crate) use super::kubernetes::TORCHRUN_ID;
/// torchrun's words for a number of processes: as many as the node has processors.
pub(crate) const AS_PROCESSORS: &[&str] = &["auto", "cpu"];
/// HyperPod's agent tells its workers where it listens.
pub(crate) const HYPERPOD_SOCKET: &str = "HYPERPOD_ELASTICAGENT_SOCKET_SERVER_PATH";
/// How long torchrun leaves its workers before a new round, in seconds.
pub(crate) const ROUND_SECONDS: f64 = 30.0;
/// Until when they are left after a stop (torch 2.12), in seconds.
pub(crate) const SHUTDOWN_TIMEOUT: &str = "TORCH_ELASTIC_SHUTDOWN_TIMEOUT";
/// The same by mpirun (Open MPI).
pub(crate) const MPI_RANK: &str = "OMPI_COMM_WORLD_RANK";
pub(crate) const MPI_SIZE: &str = "OMPI_COMM_WORLD_SIZE";
pub(crate) const MPI_LOCAL_RANK: &str = "OMPI_COMM_WORLD_LOCAL_RANK";
pub(crate) const MPI_LOCAL_SIZE: &str = "OMPI_COMM_WORLD_LOCAL_SIZE";
