//! Files in the directory that SageMaker reads for the page of a job.

pub(crate) mod sender;
#[cfg(test)]
mod tests;
