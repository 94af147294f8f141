//! A StatsD server: differences as lines, and lines that programs have sent.

mod lines;
pub(crate) mod sender;
#[cfg(test)]
mod tests;
