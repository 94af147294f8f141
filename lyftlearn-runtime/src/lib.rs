//! One view of an ML workload, whichever platform started its container.
//!
//! ```
//! use lyftlearn_runtime::{Facts, Platform, Role, resolve};
//!
//! let facts = Facts::empty()
//!     .with_var("KUBERNETES_SERVICE_HOST", "10.0.0.1")
//!     .with_argv(["serve"]);
//! let workload = resolve(&facts)?.workload;
//! assert_eq!(workload.platform, Platform::Kubernetes);
//! assert_eq!(workload.role, Role::Serving);
//! # Ok::<(), lyftlearn_runtime::Error>(())
//! ```
//!
//! | to | use |
//! |---|---|
//! | read the world | [`Facts`] |
//! | see what a program sees | [`current`] |
//! | detect the platform and fill the model | [`resolve`] |
//! | know what the container is asked to run | [`Workload`] |
//! | read hyperparameters with types | [`Texts`] |
//! | follow live configuration | [`config::Config`] |
//! | read secrets | [`secrets::Secrets`] |
//! | know of a stop, and wait for one | [`shutdown::Shutdown`] |
//! | get the platform's identity | [`credentials::provider`] |
//! | count things | [`metrics`] |
//! | say how far the program is | [`events::progress`] |
//! | list the subcommands of the binary | [`commands::COMMANDS`] |
//! | say what went wrong | [`Error`] |

#[cfg(doctest)]
#[doc = include_str!("../../docs/rust.md")]
struct Documentation;

#[cfg(feature = "cli")]
mod account;
#[cfg(all(feature = "agent", feature = "cli"))]
mod agent;
mod choice;
#[cfg(feature = "cli")]
pub mod cli;
pub mod commands;
pub mod config;
mod contract;
#[cfg(feature = "agent")]
pub mod credentials;
#[cfg(feature = "cli")]
mod deliver;
mod delivered;
mod error;
pub mod events;
mod facts;
#[cfg(test)]
mod fuzz;
mod held;
#[cfg(feature = "cli")]
mod init;
#[cfg(feature = "cli")]
mod launch;
mod layers;
pub mod metrics;
#[cfg(feature = "cli")]
mod outcome;
mod platform;
mod problems;
#[cfg(all(test, feature = "agent", feature = "cli"))]
mod reference;
#[cfg(all(feature = "agent", feature = "cli"))]
mod requests;
mod resolve;
pub mod secrets;
mod settings;
pub mod shutdown;
mod signal;
#[cfg(feature = "cli")]
mod spark;
#[cfg(feature = "cli")]
mod stderr;
mod toolkit;
mod visible;
mod workload;

pub use delivered::{View, current};
pub use error::{Error, ErrorKind};
pub use facts::Facts;
pub use layers::{Key as Setting, Unset};
pub use platform::{DocumentVariable, Evidence};
pub use problems::Problems;
pub use resolve::{Resolved, resolve};
pub use settings::{KEYS as SETTINGS, SECRET_FIELDS};
pub use workload::{
    Bounds, Channel, ChannelMode, CredentialMode, CredentialPlan, CredentialSource, Credentials,
    Events, Flavor, Group, Hyperparameters, Job, Lifecycle, Malformed, Metrics, Network, Paths,
    Platform, PortRange, Process, Resources, Role, Secrets, Spark, Texts, Topology, Voice,
    Workload,
};
