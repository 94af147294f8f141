//! Waiting for the file: by inotify, with no wake-up until something is renamed into the
//! run directory; where the kernel refuses that, by looking from time to time.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::fault::ShutdownFault;
use super::{Request, Shutdown};
use crate::error::Error;

/// How often to look where the kernel has no inotify instance left (there are 128 for each
/// user of a node): short against any grace, long against the look's two microseconds.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Watches for files that are renamed into the directory, which is how the file appears.
pub(super) fn watch(directory: &Path) -> rustix::io::Result<OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(
        &watch,
        directory,
        WatchFlags::MOVED_TO | WatchFlags::ONLYDIR,
    )?;
    Ok(watch)
}

/// Reads the events. Their content does not matter, because every caller looks for the file
/// afterwards.
fn empty(watch: &OwnedFd) {
    let mut events = [0; 4096];
    while rustix::io::read(watch, &mut events).is_ok_and(|length| length > 0) {}
}

/// Whether something can be read, without waiting.
pub(super) fn readable(descriptor: impl AsFd) -> bool {
    let mut ready = [PollFd::new(&descriptor, PollFlags::IN)];
    poll(&mut ready, Some(&Timespec::default())).is_ok_and(|count| count > 0)
}

impl Shutdown {
    /// Waits until a stop is asked for, or until `timeout` has passed; `None` in that case.
    /// Blocks this thread without any wake-up meanwhile.
    ///
    /// Without our PID 1 and without [`listen`](Self::listen) there is no stop to wait for, and
    /// only the time passes.
    ///
    /// ```
    /// use lyftlearn_runtime::{Facts, shutdown::Shutdown};
    /// use std::time::Duration;
    ///
    /// let shutdown = Shutdown::of(&Facts::capture(Vec::new()));
    /// while shutdown.wait(Some(Duration::from_millis(10)))?.is_none() {
    ///     println!("once more");
    ///     # break;
    /// }
    /// # Ok::<(), lyftlearn_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`requested`](Self::requested).
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Option<Request>, Error> {
        if let Some(request) = self.requested()? {
            return Ok(Some(request));
        }
        self.wait_on(self.watch().ok().flatten().as_ref(), timeout)
    }

    fn wait_on(
        &self,
        watch: Option<&OwnedFd>,
        timeout: Option<Duration>,
    ) -> Result<Option<Request>, Error> {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let listener = self.listener.as_ref().map(|listener| &listener.signalled);
        let mut descriptors: Vec<PollFd<'_>> = [
            watch.map(|watch| PollFd::new(watch, PollFlags::IN)),
            listener.map(|listener| PollFd::new(listener, PollFlags::IN)),
        ]
        .into_iter()
        .flatten()
        .collect();
        loop {
            // The watch first, then the file: a change in between wakes the thread.
            if let Some(watch) = watch {
                empty(watch);
            }
            if let Some(request) = self.requested()? {
                return Ok(Some(request));
            }
            let mut left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            if watch.is_none() && self.supervised() {
                left = Some(left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN)));
            }
            // A time beyond what the kernel can count is as good as none.
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut descriptors, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(err) => return Err(ShutdownFault::system("wait for a stop", &err.into())),
            }
        }
    }
}

#[cfg(feature = "agent")]
mod asynchronous {
    use std::future::{Future, poll_fn};
    use std::io;
    use std::pin::pin;
    use std::task::Poll;

    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::{LOOK_AGAIN, OwnedFd, Request, Shutdown, ShutdownFault, empty};
    use crate::error::Error;

    impl Shutdown {
        /// Waits in tokio's way until a stop is asked for; for a limit, put it into
        /// `tokio::time::timeout`. May be dropped at any time.
        ///
        /// Without our PID 1 and without [`listen`](Self::listen) there is no stop to wait for, and
        /// this never returns.
        ///
        /// ```
        /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        /// # runtime.unwrap().block_on(async {
        /// use lyftlearn_runtime::{Facts, shutdown::Shutdown};
        /// use std::time::Duration;
        ///
        /// let shutdown = Shutdown::of(&Facts::empty());
        /// let stopped = tokio::time::timeout(Duration::from_millis(10), shutdown.wait_async());
        /// assert!(stopped.await.is_err());
        /// # })
        /// ```
        ///
        /// # Errors
        ///
        /// As [`requested`](Self::requested).
        ///
        /// # Panics
        ///
        /// Outside a tokio runtime with its drivers for input and for time enabled.
        pub async fn wait_async(&self) -> Result<Request, Error> {
            let cannot = |err: io::Error| ShutdownFault::system("wait for a stop", &err);
            let watch = self.watch().ok().flatten().map(register).transpose();
            let watch = watch.map_err(cannot)?;
            // Each waiting task gets a descriptor of its own, because a runtime registers a
            // descriptor only once.
            let listener = (self.listener.as_ref())
                .map(|listener| register(OwnedFd::from(listener.signalled.try_clone()?)))
                .transpose()
                .map_err(cannot)?;
            loop {
                if let Some(watch) = &watch {
                    empty(watch.get_ref());
                }
                if let Some(request) = self.requested()? {
                    return Ok(request);
                }
                let looks = watch.is_none() && self.supervised();
                let mut pause = pin!(looks.then(|| tokio::time::sleep(LOOK_AGAIN)));
                poll_fn(|context| {
                    let mut woken = false;
                    for descriptor in [&watch, &listener].into_iter().flatten() {
                        if let Poll::Ready(ready) = descriptor.poll_read_ready(context) {
                            ready?.clear_ready();
                            woken = true;
                        }
                    }
                    if let Some(pause) = pause.as_mut().as_pin_mut() {
                        woken |= pause.poll(context).is_ready();
                    }
                    if woken {
                        Poll::Ready(Ok(()))
                    } else {
                        Poll::Pending
                    }
                })
                .await
                .map_err(cannot)?;
            }
        }
    }

    #[expect(
        deprecated,
        reason = "unsound only for types that give their descriptor away, which an OwnedFd \
                  does not; what replaces it is unsafe"
    )]
    fn register(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
        AsyncFd::with_interest(descriptor, Interest::READABLE)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::tests::{Stop, example};

    /// How often this thread has given the processor away by itself.
    fn waits() -> u64 {
        let status = rustix::fs::open(
            "/proc/thread-self/status",
            rustix::fs::OFlags::RDONLY,
            rustix::fs::Mode::empty(),
        );
        let mut text = vec![0; 8192];
        let length = rustix::io::read(status.unwrap(), &mut text).unwrap();
        let text = String::from_utf8(text[..length].to_vec()).unwrap();
        let count = text.split("\nvoluntary_ctxt_switches:").nth(1).unwrap();
        count.split_whitespace().next().unwrap().parse().unwrap()
    }

    #[test]
    fn waiting_in_vain_takes_the_time_and_wakes_up_once() {
        let stop = Stop::new();
        let (before, start) = (waits(), Instant::now());
        let half_a_second = Duration::from_millis(500);
        assert_eq!(stop.shutdown().wait(Some(half_a_second)).unwrap(), None);
        assert!(start.elapsed() >= half_a_second);
        let woken = waits() - before;
        assert!(woken <= 2, "{woken}");
    }

    #[test]
    fn without_inotify_the_file_is_looked_for() {
        let stop = Stop::new();
        let shutdown = stop.shutdown();
        let waiting = std::thread::spawn(move || shutdown.wait_on(None, None));
        stop.ask();
        assert_eq!(waiting.join().unwrap().unwrap(), Some(example()));
    }

    #[test]
    fn without_inotify_the_time_is_kept_all_the_same() {
        let stop = Stop::new();
        let start = Instant::now();
        let timeout = Duration::from_millis(300);
        let waited = stop.shutdown().wait_on(None, Some(timeout));
        assert_eq!(waited.unwrap(), None);
        assert!(start.elapsed() >= timeout);
    }
}
