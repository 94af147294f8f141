//! Events that tell a platform of this job. The runtime tells each state by itself; a program can
//! add how far it is.

mod progress;

pub use progress::progress;
