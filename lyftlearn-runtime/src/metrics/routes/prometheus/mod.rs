//! Prometheus asks for what was counted, by HTTP.

pub mod exposition;
