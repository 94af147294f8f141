//! What a long command waits for: one line on a terminal's standard error, renewed every second
//! and removed at the end. Logs and pipes never contain it.

use std::io::IsTerminal;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::page::columns_of_stderr;
use crate::stderr;
use crate::visible::visible_line;

/// A command that ends before this shows nothing.
const FIRST: Duration = Duration::from_millis(500);
const EACH: Duration = Duration::from_secs(1);

/// Shown until it is dropped.
pub(super) struct Progress {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// `None`: the end.
    text: Mutex<Option<String>>,
    changed: Condvar,
}

impl Progress {
    /// Shows `text`, and for how long. Does nothing without a terminal.
    pub(super) fn show(text: impl Into<String>) -> Self {
        let shared = Arc::new(Shared {
            text: Mutex::new(Some(text.into())),
            changed: Condvar::new(),
        });
        let thread = std::io::stderr().is_terminal().then(|| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.draw())
        });
        Self { shared, thread }
    }

    /// Shows another text from now on.
    pub(super) fn update(&self, text: impl Into<String>) {
        let mut shown = self
            .shared
            .text
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *shown = Some(text.into());
        self.shared.changed.notify_one();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let text = self.shared.text.lock();
        *text.unwrap_or_else(PoisonError::into_inner) = None;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // Before the results: they must not be written over.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn draw(&self) {
        let begun = Instant::now();
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let mut drawn = false;
        while let Some(shown) = text.as_deref() {
            let elapsed = begun.elapsed();
            if elapsed >= FIRST {
                let line = format!("{}, {} s", visible_line(shown), elapsed.as_secs());
                let width = columns_of_stderr().unwrap_or(80).saturating_sub(1);
                let line: String = line.chars().take(width).collect();
                stderr::painted(&format!("\r\u{1b}[K{line}"));
                drawn = true;
            }
            let wait = if drawn { EACH } else { FIRST };
            let waited = self.changed.wait_timeout(text, wait);
            text = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if drawn {
            stderr::painted("\r\u{1b}[K");
        }
    }
}
