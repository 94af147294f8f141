//! Whole lines on the container's stdout. If its reader stops reading, only this thread waits.

use std::io::Write as _;
use std::sync::mpsc;

use tokio::sync::oneshot;

pub(super) struct Stdout {
    lines: mpsc::Sender<(Vec<u8>, oneshot::Sender<bool>)>,
}

impl Stdout {
    pub(super) fn new() -> Self {
        let (lines, given) = mpsc::channel::<(Vec<u8>, oneshot::Sender<bool>)>();
        // Without a thread nothing is sent, and the loss is counted.
        let _ = std::thread::Builder::new().spawn(move || {
            for (line, written) in given {
                let mut stdout = std::io::stdout();
                let done = stdout.write_all(&line).and_then(|()| stdout.flush());
                let _ = written.send(done.is_ok());
            }
        });
        Self { lines }
    }

    /// Whether the line has been written.
    pub(super) async fn write(&self, line: Vec<u8>) -> bool {
        let (written, answer) = oneshot::channel();
        self.lines.send((line, written)).is_ok() && answer.await.unwrap_or(false)
    }
}
