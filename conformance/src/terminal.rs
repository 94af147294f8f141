//! A terminal, from the user's side.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::wait;

/// A pseudo-terminal; input and output go through its master side.
#[derive(Debug)]
pub struct Terminal {
    master: File,
    path: PathBuf,
    shown: String,
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Terminal {
    /// A new one.
    ///
    /// # Panics
    ///
    /// When the kernel gives none.
    #[must_use]
    pub fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a terminal can be opened");
        grantpt(&master).expect("a terminal can be granted");
        unlockpt(&master).expect("a terminal can be unlocked");
        let name = ptsname(&master, Vec::new()).expect("a terminal has a name");
        let flags = fcntl_getfl(&master).expect("a file has flags");
        fcntl_setfl(&master, flags | OFlags::NONBLOCK).expect("flags can be set");
        Self {
            master: master.into(),
            path: PathBuf::from(name.to_string_lossy().into_owned()),
            shown: String::new(),
        }
    }

    /// The side that a process has as a standard stream.
    ///
    /// # Panics
    ///
    /// When it cannot be opened.
    #[must_use]
    pub fn stream(&self) -> Stdio {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(&self.path, flags, rustix::fs::Mode::empty())
            .expect("the terminal is there")
            .into()
    }

    /// Types.
    ///
    /// # Panics
    ///
    /// When the terminal takes nothing.
    pub fn types(&mut self, keys: &str) {
        self.master
            .write_all(keys.as_bytes())
            .expect("the terminal takes what is typed");
    }

    /// Waits until `text` appears after the text that was waited for before.
    ///
    /// # Panics
    ///
    /// When it is not shown within two minutes.
    #[track_caller]
    pub fn shows(&mut self, text: &str) {
        let found = wait::until(|| {
            self.read();
            self.shown.find(text).map(|at| at + text.len())
        });
        let Some(end) = found else {
            panic!("{text:?} is not shown in {:?}", self.shown);
        };
        self.shown.drain(..end);
    }

    fn read(&mut self) {
        let mut bytes = [0; 4096];
        // No output, or no writer is left: the deadline decides.
        while let Ok(length @ 1..) = self.master.read(&mut bytes) {
            self.shown
                .push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    }

    /// Changes the window's size.
    ///
    /// # Panics
    ///
    /// When the terminal refuses.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size).expect("a terminal can be resized");
    }

    /// The window is closed, the line is cut.
    pub fn hang_up(self) {
        drop(self.master);
    }
}
