//! A collector of OpenTelemetry's.

mod request;
pub(crate) mod sender;
#[cfg(test)]
pub(super) mod tests;
