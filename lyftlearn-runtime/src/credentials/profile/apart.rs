//! Reads a profile in a separate process: this binary without the agent's environment, and as the
//! program's user if root must not read it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::Credentials;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::super::fault::Cause;
use super::super::handed;
use super::super::source::Fetched;
use super::here;
use crate::account::account;
use crate::contract::{aws, limits};
use crate::facts::Facts;
use crate::held;
use crate::init::{self, HelperProcess, User};
use crate::workload::Roots;

/// The word by which this binary knows that it is to read a profile.
pub(crate) const ARGUMENT: &str = "--profile";

/// A command may ask a person's token, or a server far away.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the process is asked.
#[derive(Serialize, Deserialize)]
pub(crate) struct Question {
    name: Option<String>,
    roots: Option<Roots>,
    user: Option<User>,
}

/// Its answer: credentials, or the reason that there are none.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    given: Option<String>,
    why: Option<Why>,
}

/// The causes that SDKs have for a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Why {
    Refused,
    TimedOut,
    Roots,
    NotLoaded,
    NotValid,
    Other,
}

/// The user that has to read the profile. `None` if this process may: only root can change the files.
pub(super) fn reader(facts: &Facts, setting: Option<&str>) -> Option<User> {
    let user = account(facts, Some(setting?)).ok()??.user;
    let files = files(facts);
    let roots_alone = files.iter().all(|file| held::only_root_changes(file));
    (!roots_alone).then_some(user)
}

/// The two files as SDKs find them. The path is relative if the place is unknown.
fn files(facts: &Facts) -> [PathBuf; 2] {
    [
        (aws::SHARED_CREDENTIALS_FILE, aws::CREDENTIALS_FILE),
        (aws::CONFIG_FILE, aws::USUAL_CONFIG_FILE),
    ]
    .map(|(variable, usual)| match facts.text(variable) {
        Some(path) => PathBuf::from(path.as_ref()),
        None => {
            let home = facts.text(aws::HOME).unwrap_or_default();
            Path::new(home.as_ref()).join(usual)
        }
    })
}

/// Starts the process, asks it and ends it.
pub(super) async fn fetch(
    name: Option<String>,
    roots: Option<Roots>,
    user: Option<User>,
) -> Result<Credentials, Cause> {
    let question = Question { name, roots, user };
    let asked = tokio::time::timeout(PATIENCE, ask(&question));
    let answer = asked.await.map_err(|_| Cause::TimedOut)?;
    answer
        .unwrap_or(Answer {
            given: None,
            why: Some(Why::Other),
        })
        .credentials()
}

async fn ask(question: &Question) -> Option<Answer> {
    let own = std::process::id().to_string();
    let argv = ["lyftlearn-runtime", ARGUMENT, &own].map(OsString::from);
    let environment = Facts::capture(Vec::new()).for_others();
    let mut helper = HelperProcess::start(&argv, &environment, None)?;
    let stream = helper.stream().try_clone().ok()?;
    stream.set_nonblocking(true).ok()?;
    let mut stream = UnixStream::from_std(stream).ok()?;
    let question = serde_json::to_vec(question).expect("plain data has no failure to report");
    stream.write_all(&question).await.ok()?;
    stream.shutdown().await.ok()?;
    let mut answer = Zeroizing::new(Vec::new());
    let limit = 2 * limits::CREDENTIALS_BYTES as u64;
    stream.take(limit).read_to_end(&mut answer).await.ok()?;
    helper.has_answered();
    serde_json::from_slice(&answer).ok()
}

/// Answers in the process itself.
pub(crate) async fn answer(Question { name, roots, user }: Question) -> Answer {
    if user.is_some_and(|user| init::become_user(&user).is_err()) {
        return Answer {
            given: None,
            why: Some(Why::Other),
        };
    }
    match here(name.as_deref(), roots).await {
        Ok(credentials) => {
            let fetched = Fetched {
                credentials,
                skew: None,
            };
            Answer {
                given: handed::text(&fetched).map(|text| text.as_str().to_owned()),
                why: None,
            }
        }
        Err(cause) => Answer {
            given: None,
            why: Some(Why::of(&cause)),
        },
    }
}

impl Answer {
    fn credentials(self) -> Result<Credentials, Cause> {
        let given = self.given.map(Zeroizing::new);
        if let Some(why) = self.why {
            return Err(why.cause());
        }
        let fetched = given.and_then(|text| handed::parse(text.as_bytes()));
        fetched.map_or(Err(Cause::Expired), |fetched| Ok(fetched.credentials))
    }
}

impl Why {
    fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Refused => Self::Refused,
            Cause::TimedOut => Self::TimedOut,
            Cause::Roots(_) => Self::Roots,
            Cause::Sdk(Cause::NOT_LOADED) => Self::NotLoaded,
            Cause::Sdk(Cause::NOT_VALID) => Self::NotValid,
            _ => Self::Other,
        }
    }

    fn cause(self) -> Cause {
        match self {
            Self::Refused => Cause::Refused,
            Self::TimedOut => Cause::TimedOut,
            Self::Roots => Cause::Sdk(Cause::NO_ROOTS),
            Self::NotLoaded => Cause::Sdk(Cause::NOT_LOADED),
            Self::NotValid => Cause::Sdk(Cause::NOT_VALID),
            Self::Other => Cause::Sdk(Cause::OTHER),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::Why;
    use crate::error::sentences;

    #[test]
    fn every_cause_arrives() {
        for why in [
            Why::Refused,
            Why::TimedOut,
            Why::NotLoaded,
            Why::NotValid,
            Why::Other,
        ] {
            assert_eq!(Why::of(&why.cause()), why);
        }
        expect![[r#"
            the file of certificates that a variable names cannot be used by the program's user
        "#]]
        .assert_eq(&sentences([Why::Roots.cause()]));
    }
}
