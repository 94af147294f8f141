//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// Polls until `condition` gives a value; `None` when `deadline` passes first.
pub fn until<T>(deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
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
