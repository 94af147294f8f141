//! Secrets that are planted to be searched for.

use std::io::Read;

/// What a case writes where the canary goes.
pub const PLACE: &str = "@CANARY@";

/// A value that nothing else can hold by accident.
#[derive(Clone, Debug)]
pub struct Canary(String);

impl Canary {
    /// A new one.
    ///
    /// # Panics
    ///
    /// When the kernel gives no random bytes.
    #[must_use]
    pub fn plant() -> Self {
        let mut bytes = [0; 12];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut bytes))
            .expect("the kernel gives random bytes");
        Self(bytes.iter().fold("canary-".to_owned(), |text, byte| {
            format!("{text}{byte:02x}")
        }))
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.0
    }

    /// A text with every [`PLACE`] replaced.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        text.replace(PLACE, &self.0)
    }

    /// # Panics
    ///
    /// When `output` shows the canary: a secret has leaked.
    #[track_caller]
    pub fn assert_unseen(&self, what: &str, output: &[u8]) {
        let seen = output
            .windows(self.0.len())
            .any(|window| window == self.0.as_bytes());
        assert!(
            !seen,
            "{what} shows a secret:\n{}",
            String::from_utf8_lossy(output)
        );
    }
}
