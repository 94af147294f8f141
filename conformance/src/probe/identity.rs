//! Which identity a program gets: by the endpoint of its environment, by boto3, by the runtime.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::standin;

/// Between two questions of [`watch`].
const STEP: Duration = Duration::from_millis(250);

/// The identity by each way; `None` where there is no such way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The key of the endpoint that the environment names, or why there was none.
    pub endpoint: Option<Key>,
    /// What boto3 of this image's Python finds.
    pub boto3: Option<Key>,
    /// What `lyftlearn-runtime credentials` prints.
    pub runtime: Option<Key>,
}

/// The name of a key, which is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// It was given.
    Given(String),
    /// It was not, and why.
    Refused(String),
}

/// What a program that runs longer than its keys are good has seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watched {
    /// How many keys were given.
    pub given: usize,
    /// How many of them were different.
    pub keys: usize,
    /// Those that had ended when they were given, and by which way.
    pub expired: Vec<String>,
    /// Why a key was not given, the first time.
    pub refused: Option<String>,
    /// Whether boto3 was asked, too.
    pub boto3: bool,
}

/// One session of boto3, which gives its key for each line that it reads.
const BOTO3: &str = "
import sys
try:
    import boto3
except ImportError:
    sys.exit(9)
session = boto3.Session()
while True:
    try:
        found = session.get_credentials()
        print(found.get_frozen_credentials().access_key if found else '-', flush=True)
    except Exception as error:
        print('! ' + type(error).__name__, flush=True)
    if len(sys.argv) == 1 or not sys.stdin.readline():
        break
";

fn key(text: &str) -> Key {
    match text.trim().strip_prefix("! ") {
        Some(error) => Key::Refused(error.to_owned()),
        None if text.trim() == "-" => Key::Refused("no credentials".to_owned()),
        None => Key::Given(text.trim().to_owned()),
    }
}

pub(super) fn seen() -> Identity {
    let boto3 = printed("python3", &["-c", BOTO3]);
    let runtime = printed("lyftlearn-runtime", &["credentials"]).map(|said| match said {
        (true, text) => {
            let made: Value = serde_json::from_str(&text).unwrap_or_default();
            Key::Given(made["AccessKeyId"].as_str().unwrap_or("?").to_owned())
        }
        (false, _) => Key::Refused("no credentials".to_owned()),
    });
    Identity {
        endpoint: endpoint(),
        boto3: boto3.and_then(|(good, text)| good.then(|| key(&text))),
        runtime,
    }
}

/// Whether a program succeeded, and what it printed; `None` where it cannot be started.
fn printed(program: &str, words: &[&str]) -> Option<(bool, String)> {
    let output =
        crate::command::tried(Command::new(program).args(words), Duration::from_secs(30)).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((output.status.success(), text))
}

/// Asks as an SDK does.
fn endpoint() -> Option<Key> {
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|value| !value.trim().is_empty())
    };
    let address = match variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        Some(path) => format!("http://{}{path}", standin::CONTAINER),
        None => variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")?,
    };
    let file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    let token = match file {
        Some(file) => std::fs::read_to_string(file).ok(),
        None => variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut request = agent.get(address);
    if let Some(token) = token {
        request = request.header("authorization", token.trim());
    }
    Some(match request.call() {
        Err(err) => Key::Refused(err.to_string()),
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            let body: Value = answer.body_mut().read_json().unwrap_or_default();
            match body["AccessKeyId"].as_str() {
                Some(key) if status == 200 => Key::Given(key.to_owned()),
                _ => Key::Refused(format!("status {status}")),
            }
        }
    })
}

/// Asks again and again, for so many seconds.
pub(super) fn watch(seconds: u64) -> Watched {
    let mut watched = Watched::default();
    let mut keys = std::collections::BTreeSet::new();
    let mut boto3 = Session::start();
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let by_boto3 = boto3.as_mut().and_then(Session::ask);
        if by_boto3.is_none() {
            boto3 = None;
        }
        watched.boto3 |= by_boto3.is_some();
        for (way, key) in [("the endpoint", endpoint()), ("boto3", by_boto3)] {
            // Below a second they would only differ by the cut of it.
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs();
            match key {
                Some(Key::Given(key)) => {
                    watched.given += 1;
                    if standin::end_of(&key).is_some_and(|end| end < now)
                        && watched.expired.len() < 10
                    {
                        watched.expired.push(format!("{key} by {way}"));
                    }
                    keys.insert(key);
                }
                Some(Key::Refused(why)) => {
                    watched.refused = watched.refused.or_else(|| Some(format!("{way}: {why}")));
                }
                None => {}
            }
        }
        std::thread::park_timeout(STEP);
    }
    watched.keys = keys.len();
    watched
}

/// A process of Python's with one session.
struct Session {
    child: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Session {
    fn start() -> Option<Self> {
        let mut command = Command::new("python3");
        command
            .args(["-c", BOTO3, "again"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        let lines = BufReader::new(child.stdout.take()?).lines();
        Some(Self { child, lines })
    }

    /// Its key; `None` once it has ended.
    fn ask(&mut self) -> Option<Key> {
        use std::io::Write;
        let line = self.lines.next()?.ok()?;
        let _ = self.child.stdin.as_mut()?.write_all(b"again\n");
        Some(key(&line))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        crate::command::reap(&mut self.child);
    }
}
