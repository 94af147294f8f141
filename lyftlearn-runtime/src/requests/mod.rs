//! Requests that this process sends over a network: HTTP with patience, and calls to AWS's
//! services that are signed.

mod aws;
mod http;
mod reach;

pub(crate) use aws::{Call, Service, Signer, code, code_in_any_form, is_passing, may_pass};
pub(crate) use http::{Answered, Http, Patience, Unanswered};
pub(crate) use reach::{Reached, Unreached, reach};
