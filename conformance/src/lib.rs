//! Emulated platforms and cases: what holds an image, and this runtime itself, to
//! the contract. Knows the runtime by its public API and its binary only.
//!
//! [`check`] is the image checker: [`place`]s as data, an [`engine`] or a [`layout`] to look at an image with, the [`probe`]
//! inside of its containers, [`report`]s. The rest is for this project's own tests.
//!
//! Layers of those, from the smallest to what a platform runs:
//!
//! | layer | what runs | in |
//! |---|---|---|
//! | model | [`case`]s through library, binary and wheel | milliseconds |
//! | process | the binary as PID 1 in namespaces ([`sandbox`]) laid out as [`sagemaker`] or a [`kubelet`] does | a second |
//! | identity | real clients of AWS under that binary, in a [`network`] of their own | a minute |
//! | Spark | real PySpark, with executors behind a firewall ([`firewalled`]) | two minutes |
//! | distributed | real torchrun on hosts of one bridge ([`bridged`]), nodes that come and go | a minute |
//! | image | real containers ([`engine`]) telling the [`story`] of one image, and ending | two minutes |
//! | cluster | real pods of Kubernetes' own components | three minutes |
#![expect(
    clippy::disallowed_methods,
    reason = "an emulator makes the world that the runtime reads"
)]

pub mod bridged;
pub mod canary;
pub mod case;
pub mod check;
pub mod cluster;
pub mod command;
pub mod engine;
pub mod files;
pub mod firewalled;
pub mod image_toml;
pub mod kubelet;
pub mod layout;
mod namespace;
pub mod network;
pub mod place;
#[cfg(feature = "kubernetes")]
pub mod pods;
pub mod probe;
pub mod programs;
pub mod report;
pub mod sagemaker;
pub mod same_job;
pub mod sandbox;
pub mod story;
pub mod terminal;
pub mod trouble;
pub mod upstream;
pub mod wait;
pub mod world;
