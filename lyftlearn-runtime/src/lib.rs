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
//! | deliver it to a program | [`deliver`](crate::deliver()) |
//! | read hyperparameters with types | [`Texts`] |
//! | follow live configuration | [`config::Config`] |
//! | read secrets | [`secrets::Secrets`] |
//! | know of a stop, and wait for one | [`shutdown::Shutdown`] |
//! | get the platform's identity | [`credentials::provider`] |
//! | count things | [`metrics`] |
//! | say what went wrong | [`Error`] |

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(all(feature = "agent", feature = "cli"))]
mod agent;
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "the agent alone spells a value")
)]
mod choice;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "some of it is told to PID 1 and its agent alone")
)]
mod contract;
#[cfg(feature = "agent")]
pub mod credentials;
mod deliver;
mod error;
mod facts;
#[cfg(test)]
mod fuzz;
mod held;
#[cfg(feature = "cli")]
mod init;
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "some of it is for what PID 1 says")
)]
mod layers;
pub mod metrics;
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "some of it is told to PID 1 alone")
)]
mod platform;
mod resolve;
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "what is fetched and delivered is PID 1's alone")
)]
pub mod secrets;
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "some of it is told to PID 1 alone")
)]
mod settings;
pub mod shutdown;
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "some of it is told to PID 1 alone")
)]
mod signal;
#[cfg(feature = "cli")]
mod stderr;
#[cfg_attr(
    not(feature = "cli"),
    allow(
        dead_code,
        reason = "the program's variables are delivered by PID 1 alone"
    )
)]
mod toolkit;
#[cfg_attr(
    not(feature = "cli"),
    allow(dead_code, reason = "some of it is for what PID 1 says")
)]
mod visible;
mod workload;

pub use deliver::{
    Delivery, Environment, Keeper, Layers, Recipient, SecretVariable, Source, Variable, deliver,
    delivered, environment, layered,
};
pub use error::{Error, ErrorKind};
pub use facts::Facts;
pub use layers::{Key as Setting, Unset};
pub use platform::{DocumentVariable, Evidence};
pub use resolve::{Resolved, View, current, resolve, switched_off};
pub use settings::{KEYS as SETTINGS, SECRET_FIELDS};
pub use workload::{
    Channel, ChannelMode, CredentialMode, CredentialSource, Credentials, Flavor, Group,
    Hyperparameters, Identity, Job, Lifecycle, Metrics, Paths, Platform, Resources, Role, Secrets,
    Texts, Topology, Workload,
};
