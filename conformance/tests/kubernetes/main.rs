//! The example's image in the pods of a real cluster: API server, controllers, scheduler and kubelet are
//! Kubernetes' own. Run by `make test-kubernetes`, which brings the cluster up.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "reads what pods left; a test fails by panicking"
)]

mod check;
mod cluster;
mod configuration;
mod distributed;
mod ends;
mod events;
mod identity;
mod jobs;
mod neighbours;
mod restricted;
mod serving;
mod stopping;
mod told;
mod view;
