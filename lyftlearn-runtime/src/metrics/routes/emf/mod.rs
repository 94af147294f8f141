//! CloudWatch's Embedded Metric Format, on stdout or to CloudWatch's agent.

pub(super) mod documents;
pub(crate) mod sender;
mod stdout;
#[cfg(test)]
mod tests;
