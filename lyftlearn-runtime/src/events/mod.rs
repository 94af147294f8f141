//! Events that tell a platform of this job. The runtime tells each state by itself; a program can
//! add how far it is.

mod progress;
#[cfg(all(feature = "agent", feature = "cli"))]
mod sender;

#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use progress::beginning;
pub use progress::progress;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use sender::{Sender, Undelivered};
