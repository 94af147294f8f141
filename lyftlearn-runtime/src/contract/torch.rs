//! What torchrun and PyTorch's launchers read (torch.distributed.run, "Environment variables").

/// torchrun's own options, each as a variable.
pub(crate) const NNODES: &str = "PET_NNODES";
pub(crate) const NODE_RANK: &str = "PET_NODE_RANK";
pub(crate) const NPROC_PER_NODE: &str = "PET_NPROC_PER_NODE";
pub(crate) const MASTER_ADDR: &str = "PET_MASTER_ADDR";
pub(crate) const MASTER_PORT: &str = "PET_MASTER_PORT";
/// This node's own address, which rank 0 tells the others (torch 2.0).
pub(crate) const LOCAL_ADDR: &str = "PET_LOCAL_ADDR";
/// A job's name for its rendezvous.
pub(crate) const RENDEZVOUS_ID: &str = "PET_RDZV_ID";
/// On which interface NCCL and gloo meet their peers.
pub(crate) const SOCKET_INTERFACES: &[&str] = &["NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"];
/// Where JAX's first process listens, as `ADDRESS:PORT` (jax.distributed.initialize).
pub(crate) const JAX_COORDINATOR: &str = "JAX_COORDINATOR_ADDRESS";
/// What programs read that start their processes by themselves.
pub(crate) const PLAIN_MASTER_ADDR: &str = "MASTER_ADDR";
pub(crate) const PLAIN_MASTER_PORT: &str = "MASTER_PORT";
pub(crate) const PLAIN_NODE_RANK: &str = "NODE_RANK";
