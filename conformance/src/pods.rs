//! `check --engine kubernetes`: the checks of the Kubernetes places, in a cluster that a kubeconfig names.
//!
//! Everything is a Job, with a deadline and a time to live, and ConfigMaps that the Job owns. So the cluster itself
//! removes what a run leaves behind that was killed.

mod checks;
mod cluster;
mod job;

pub use checks::{count, run};
pub use cluster::Cluster;
