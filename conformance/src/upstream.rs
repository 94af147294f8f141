//! A platform's credential endpoint, with whatever moods it may have.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::canary::Canary;

/// How it answers.
#[derive(Clone, Debug)]
pub enum Mood {
    /// New credentials, good for so long.
    Gives(Duration),
    /// This status, and an object that says nothing.
    Status(u16),
    /// Success, and something else than credentials.
    Says(String),
    /// Nothing, until the other side gives up.
    Hangs,
}

/// Serves on loopback until it is dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    heads: Arc<Mutex<Vec<String>>>,
    given: Arc<AtomicUsize>,
    secret: Canary,
}

impl Upstream {
    /// One that gives credentials of an hour.
    ///
    /// # Panics
    ///
    /// When loopback cannot be listened on.
    #[must_use]
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
        let upstream = Self {
            address: listener.local_addr().expect("it is bound"),
            mood: Arc::new(Mutex::new(Mood::Gives(Duration::from_secs(3600)))),
            heads: Arc::default(),
            given: Arc::default(),
            secret: Canary::plant(),
        };
        let (mood, heads) = (Arc::clone(&upstream.mood), Arc::clone(&upstream.heads));
        let (given, secret) = (Arc::clone(&upstream.given), upstream.secret.clone());
        // The thread ends with the test's process; no client connects after the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mood = mood.lock().expect("nobody panics with it").clone();
                let (heads, given) = (Arc::clone(&heads), Arc::clone(&given));
                let secret = secret.clone();
                std::thread::spawn(move || answer(&stream, &mood, &heads, &given, &secret));
            }
        });
        upstream
    }

    /// For `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("http://{}/role", self.address)
    }

    /// From now on.
    ///
    /// # Panics
    ///
    /// Never: no thread panics while it holds the lock.
    pub fn mood(&self, mood: Mood) {
        *self.mood.lock().expect("nobody panics with it") = mood;
    }

    /// The heads of every request so far.
    ///
    /// # Panics
    ///
    /// Never: no thread panics while it holds the lock.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("nobody panics with it").clone()
    }

    /// The secret key that it gives: a canary.
    #[must_use]
    pub fn secret(&self) -> &Canary {
        &self.secret
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Self::new()
    }
}

fn answer(
    stream: &TcpStream,
    mood: &Mood,
    heads: &Mutex<Vec<String>>,
    given: &AtomicUsize,
    secret: &Canary,
) {
    let Ok(reader) = stream.try_clone() else {
        return;
    };
    let lines = BufReader::new(reader).lines();
    let head: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    if head.is_empty() {
        return;
    }
    if let Ok(mut heads) = heads.lock() {
        heads.push(head.join("\n"));
    }
    let (status, body) = match mood {
        Mood::Gives(life) => {
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            (200, document(number, *life, secret))
        }
        Mood::Status(status) => (*status, "{}".to_owned()),
        Mood::Says(text) => (200, text.clone()),
        Mood::Hangs => {
            let mut rest = Vec::new();
            // Reads until the other side gives up.
            let _ = std::io::Read::read_to_end(&mut &*stream, &mut rest);
            return;
        }
    };
    let length = body.len();
    let mut stream = stream;
    // A peer that has gone again is its own affair.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} Mood\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
}

/// Key after key, so that a new one can be told from an old one.
fn document(number: usize, life: Duration, secret: &Canary) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "an end is a time of the wall clock"
    )]
    let until = SystemTime::now() + life;
    serde_json::json!({
        "RoleArn": "arn:aws:iam::111122223333:role/emulated",
        "AccessKeyId": format!("ASIA{number:012}"),
        "SecretAccessKey": secret.value(),
        "Token": format!("token-{number}"),
        "Expiration": rfc3339(until),
    })
    .to_string()
}

/// UTC to the second (Howard Hinnant's civil-from-days, as std knows no calendar).
fn rfc3339(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}
