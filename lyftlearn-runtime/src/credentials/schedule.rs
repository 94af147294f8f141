//! When a source is asked again. No clock in here: spans in, spans out.

use std::time::Duration;

use super::fault::Cause;

/// What botocore and Java's SDK want left: below that they ask again on every call.
const WANTED: Duration = Duration::from_secs(20 * 60);
/// Below this a life is too short for that.
const LONG: Duration = Duration::from_secs(40 * 60);
/// The source has not turned its own key yet.
const NOT_TURNED: Duration = Duration::from_secs(60);
const SOONEST: Duration = Duration::from_millis(500);

const ON_DEMAND: Duration = Duration::from_secs(1);
const ON_DEMAND_THROTTLED: Duration = Duration::from_secs(15);

const FIRST_FAILURE: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);
const THROTTLED: Duration = Duration::from_secs(30);
const THROTTLED_LATEST: Duration = Duration::from_secs(300);
/// Somebody has to change a policy first.
const REFUSED: Duration = Duration::from_secs(300);
/// The same while there is nothing to give: an association may only be about to be made.
const REFUSED_WITHOUT: Duration = Duration::from_secs(30);

/// The next time after a success: at 50 to 60 % of a life, earlier where a client would
/// otherwise see less than it wants. `random` is from 0 to 1.
pub(super) fn after_success(life: Duration, same_as_before: bool, random: f64) -> Duration {
    let share = life.mul_f64(0.5 + 0.1 * random);
    let next = if life >= LONG {
        share.min(life - WANTED - Duration::from_secs(120).mul_f64(random))
    } else {
        share
    };
    if same_as_before {
        let again = NOT_TURNED + Duration::from_secs(10).mul_f64(random);
        return next.min(again).max(SOONEST);
    }
    next.max(SOONEST)
}

/// The next time after a failure, `before` being the span before it, if that was one, too.
pub(super) fn after_failure(
    cause: &Cause,
    before: Option<Duration>,
    held: bool,
    random: f64,
) -> Duration {
    let (first, latest) = if cause.is_throttled() {
        (THROTTLED, THROTTLED_LATEST)
    } else if cause.is_a_refusal() {
        let span = if held { REFUSED } else { REFUSED_WITHOUT };
        return span + Duration::from_secs(5).mul_f64(random);
    } else {
        (FIRST_FAILURE, LATEST)
    };
    // Decorrelated: somewhere between the first and three times the last.
    let widest = before.unwrap_or(first).max(first) * 3;
    let span = first + (widest - first).mul_f64(random);
    span.min(latest)
}

/// How soon after a fetch a caller without valid credentials may trigger the next one. Callers
/// retry without knowing about throttling.
pub(super) fn on_demand(failure: Option<&Cause>) -> Duration {
    match failure {
        Some(cause) if cause.is_throttled() => ON_DEMAND_THROTTLED,
        _ => ON_DEMAND,
    }
}

/// How bad it is that a source fails: 0 while more than half of a life is left, then 1, in
/// its last quarter 2, and without anything to give 3.
pub(super) fn alarm(life: Duration, left: Option<Duration>) -> u8 {
    match left {
        None => 3,
        Some(left) if left < life / 4 => 2,
        Some(left) if left < life / 2 => 1,
        Some(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fault::Cause;
    use super::{after_failure, after_success, alarm, on_demand};

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_client_always_sees_more_than_a_quarter_of_an_hour() {
        for minutes in [40, 60, 360, 720] {
            for random in [0.0, 0.3, 1.0] {
                let life = MINUTE * minutes;
                let left = life - after_success(life, false, random);
                assert!(left > MINUTE * 15, "{left:?} of {life:?}");
            }
        }
        assert_eq!(after_success(MINUTE * 60, false, 0.0), MINUTE * 30);
        assert_eq!(after_success(MINUTE * 60, false, 1.0), MINUTE * 36);
        assert_eq!(after_success(MINUTE * 40, false, 1.0), MINUTE * 18);
    }

    #[test]
    fn a_short_life_is_renewed_halfway() {
        assert_eq!(after_success(MINUTE * 10, false, 0.0), MINUTE * 5);
        assert_eq!(
            after_success(Duration::from_millis(10), false, 0.0),
            Duration::from_millis(500)
        );
    }

    #[test]
    fn a_key_that_was_not_turned_is_asked_for_again_after_a_minute() {
        assert_eq!(after_success(MINUTE * 30, true, 0.0), MINUTE);
        assert_eq!(
            after_success(MINUTE, true, 0.0),
            Duration::from_secs(30),
            "but not later than otherwise"
        );
    }

    #[test]
    fn failures_are_asked_about_less_and_less_often() {
        let cause = Cause::Status(503);
        assert_eq!(
            after_failure(&cause, None, true, 0.0),
            Duration::from_secs(1)
        );
        let mut span = None;
        for _ in 0..10 {
            span = Some(after_failure(&cause, span, true, 1.0));
        }
        assert_eq!(span, Some(MINUTE));
        let cause = Cause::Status(429);
        assert_eq!(
            after_failure(&cause, None, true, 0.0),
            Duration::from_secs(30)
        );
        assert_eq!(
            after_failure(&cause, Some(MINUTE * 4), true, 1.0),
            MINUTE * 5
        );
        let cause = Cause::Status(403);
        assert_eq!(after_failure(&cause, None, true, 0.0), MINUTE * 5);
        assert_eq!(
            after_failure(&cause, None, false, 0.0),
            Duration::from_secs(30)
        );
    }

    #[test]
    fn callers_do_not_hurry_a_source_that_is_asked_too_often() {
        let second = Duration::from_secs(1);
        assert_eq!(on_demand(None), second);
        assert_eq!(on_demand(Some(&Cause::Status(500))), second);
        assert_eq!(on_demand(Some(&Cause::Status(429))), second * 15);
    }

    #[test]
    fn the_log_level_rises_as_the_expiration_comes_near() {
        let life = MINUTE * 60;
        assert_eq!(alarm(life, Some(MINUTE * 31)), 0);
        assert_eq!(alarm(life, Some(MINUTE * 29)), 1);
        assert_eq!(alarm(life, Some(MINUTE * 14)), 2);
        assert_eq!(alarm(life, None), 3);
    }
}
