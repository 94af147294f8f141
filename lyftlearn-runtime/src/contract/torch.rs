//! What torchrun and PyTorch's launchers read (torch.distributed.run, "Environment variables").

/// torchrun's own options, each as a variable.
pub(crate) const NNODES: &str = "PET_NNODES";
pub(crate) const NODE_RANK: &str = "PET_NODE_RANK";
pub(crate) const NPROC_PER_NODE: &str = "PET_NPROC_PER_NODE";
pub(crate) const MASTER_ADDR: &str = "PET_MASTER_ADDR";
pub(crate) const MASTER_PORT: &str = "PET_MASTER_PORT";
/// What programs read that start their processes by themselves.
pub(crate) const PLAIN_MASTER_ADDR: &str = "MASTER_ADDR";
pub(crate) const PLAIN_MASTER_PORT: &str = "MASTER_PORT";
pub(crate) const PLAIN_NODE_RANK: &str = "NODE_RANK";
