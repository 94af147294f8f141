//! What launchers tell each process that they start.

/// torchrun's and others'.
pub(crate) const LOCAL_RANK: &str = "LOCAL_RANK";
pub(crate) const LOCAL_WORLD_SIZE: &str = "LOCAL_WORLD_SIZE";
/// Failures so far; a change of the nodes is none.
pub(crate) const RESTARTS: &str = "TORCHELASTIC_RESTART_COUNT";
/// The same by mpirun (Open MPI).
pub(crate) const MPI_RANK: &str = "OMPI_COMM_WORLD_RANK";
pub(crate) const MPI_SIZE: &str = "OMPI_COMM_WORLD_SIZE";
pub(crate) const MPI_LOCAL_RANK: &str = "OMPI_COMM_WORLD_LOCAL_RANK";
pub(crate) const MPI_LOCAL_SIZE: &str = "OMPI_COMM_WORLD_LOCAL_SIZE";
