//! The first credentials of a start that does not do without.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::Cause;
use super::source::{Fetched, Source};
use crate::workload::CredentialPlan;

/// Many containers start at one moment: what they were refused together they do not ask for
/// together again.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Asks until there are some, or the identity's patience is over. Even a refusal is asked
/// again: an association or a policy of a minute ago is not yet known everywhere.
pub(crate) async fn first(plan: &CredentialPlan) -> Result<Fetched, Cause> {
    let source = Source::new(plan).ok_or(Cause::Sdk("the source gave none"))?;
    let until = Instant::now() + Duration::from_secs(plan.startup_seconds.into());
    let mut last = Cause::TimedOut;
    let mut longest = FIRST_WAIT;
    loop {
        let Ok(answer) = tokio::time::timeout_at(until, source.fetch()).await else {
            return Err(last);
        };
        match answer {
            Ok(fetched) => return Ok(fetched),
            Err(cause) if cause.is_of_this_container() => return Err(cause),
            Err(cause) => last = cause,
        }
        let again = Instant::now() + longest.mul_f64(0.5 + 0.5 * fastrand::f64());
        if again >= until {
            return Err(last);
        }
        tokio::time::sleep_until(again).await;
        longest = (longest * 2).min(LONGEST_WAIT);
    }
}
