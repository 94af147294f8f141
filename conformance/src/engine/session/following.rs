//! A container's output, while it runs.

use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::engine::call::{Call, Running, Stop};
use crate::trouble::Result;

/// A container's output, while it runs.
#[derive(Debug)]
pub struct Following {
    pub(super) running: Running,
    pub(super) began: Instant,
    pub(super) engine: Engine,
    pub(super) name: String,
}

impl Drop for Following {
    /// The container is killed and its client waited for. A client that is killed while it makes a
    /// container would leave a process of the engine's behind.
    fn drop(&mut self) {
        let calm = Stop::default();
        let until = Instant::now() + Duration::from_secs(20);
        while !self.running.ended() && Instant::now() < until {
            let _ = Call::new(self.engine.program(), ["kill", self.name.as_str()]).said(&calm);
            let _ = crate::wait::within(Duration::from_millis(300), || {
                self.running.ended().then_some(())
            });
        }
    }
}

impl Following {
    /// Waits until `found` accepts the output; `false` if the container ends or the time has
    /// passed.
    ///
    /// # Errors
    ///
    /// On an interrupt.
    pub fn until(
        &mut self,
        limit: Duration,
        stop: &Stop,
        found: impl Fn(&str) -> bool,
    ) -> Result<bool> {
        let until = Instant::now() + limit;
        loop {
            stop.check()?;
            if found(&self.running.so_far()) {
                return Ok(true);
            }
            if self.running.ended() || Instant::now() > until {
                return Ok(found(&self.running.so_far()));
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}
