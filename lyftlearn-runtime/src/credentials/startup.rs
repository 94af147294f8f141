//! The first credentials of a start that does not do without.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::Cause;
use super::source::{Fetched, Source};
use crate::workload::CredentialPlan;

/// Many containers start at the same moment; jitter spreads their retries.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Fetches until it succeeds or the time for a start has passed. Refusals are retried as well: a
/// new association or policy takes time to reach all servers.
pub(crate) async fn first(plan: &CredentialPlan) -> Result<Fetched, Cause> {
    let source = Source::new(plan).ok_or(Cause::Sdk(Cause::NOT_LOADED))?;
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
