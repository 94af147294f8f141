//! The image checker: on images that are written as files, on its own reports, and on real
//! containers.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "makes images and reads reports; a test fails by panicking"
)]

mod figures;
mod hostile;
mod layout;
mod line;
mod manuals;
mod observe;
mod reports;
mod stills;
