//! Time: waiting for a condition with a deadline, and a moment as people and platforms write it.

use std::time::{Duration, Instant};

/// How long a test waits for what has to come, unless it names another time. It says nothing of
/// speed: on a machine with twenty busy processes for each processor, torch alone takes longer than
/// twenty seconds to be imported. It only ends a test that would wait for ever.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Polls until `condition` gives a value; `None` after [`PATIENCE`].
pub fn until<T>(condition: impl FnMut() -> Option<T>) -> Option<T> {
    within(PATIENCE, condition)
}

/// Polls until `condition` gives a value; `None` when `deadline` passes first.
pub fn within<T>(deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if start.elapsed() > deadline {
            return None;
        }
        // The poll's step; the condition decides, not the time.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A moment in UTC, `2027-03-31T12:00:00Z`, from seconds since 1970.
#[must_use]
pub fn moment(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have their leap day last.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest % 3600 / 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_moment_is_told_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_806_451_200, "2027-03-31T00:00:00Z"),
        ] {
            assert_eq!(moment(seconds), expected);
        }
    }
}
