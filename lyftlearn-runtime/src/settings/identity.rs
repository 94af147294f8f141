//! The settings of the identity.

use std::collections::BTreeMap;

use figment::value::Value;

use crate::layers::{Parsed, Reader, boolean, list, paths, seconds, text};

/// How the program comes to an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) mode: Option<String>,
    /// Without `auto`.
    pub(crate) source: Option<String>,
    /// Whether the program starts only with an identity.
    pub(crate) required: bool,
    /// How long such a start waits.
    pub(crate) startup_seconds: Option<u32>,
    /// Where a profile is written, for children that lose the environment.
    pub(crate) profile_files: Vec<String>,
    /// Further roles: name and ARN.
    pub(crate) roles: BTreeMap<String, String>,
    /// The role that the program has instead of the platform's.
    pub(crate) assume_role: Option<AssumeRole>,
}

/// What STS is asked for (STS API reference, "AssumeRole").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AssumeRole {
    pub(crate) arn: String,
    pub(crate) session_name: Option<String>,
    pub(crate) duration_seconds: Option<u32>,
    pub(crate) external_id: Option<String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

const AN_ARN: &str = "a role's ARN, such as arn:aws:iam::123456789012:role/ranking";
const ROLES: &str =
    "a list of names and roles, such as [\"data=arn:aws:iam::123456789012:role/data\"]";
const TAGS: &str = "a list of tags, such as [\"team=ranking\"]";
const SESSION_NAME: &str = "2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -";
/// Roles are chained: STS refuses more than an hour, and less than 15 minutes.
const DURATION: &str = "900 to 3600 seconds, as STS refuses a longer chain of roles";

impl Identity {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            mode: from.choice("credentials.mode"),
            source: from
                .choice("credentials.source")
                .filter(|source| source != "auto"),
            required: (from.optional("credentials.required", boolean)).unwrap_or(false),
            startup_seconds: from.optional("credentials.startup_seconds", seconds),
            profile_files: from
                .optional("credentials.profile_files", paths)
                .unwrap_or_default(),
            roles: from
                .optional("credentials.roles", roles)
                .unwrap_or_default(),
            assume_role: AssumeRole::read(from),
        }
    }
}

impl AssumeRole {
    fn read(from: &mut Reader) -> Option<Self> {
        let arn = from.optional("credentials.assume_role.arn", text);
        let role = Self {
            session_name: from.optional("credentials.assume_role.session_name", session_name),
            duration_seconds: from.optional("credentials.assume_role.duration_seconds", duration),
            external_id: from.optional("credentials.assume_role.external_id", text),
            source_identity: from.optional("credentials.assume_role.source_identity", session_name),
            tags: from
                .optional("credentials.assume_role.tags", |value| pairs(value, TAGS))
                .unwrap_or_default(),
            arn: arn.clone().unwrap_or_default(),
        };
        match arn {
            Some(arn) if is_role(&arn) => Some(role),
            Some(_) => {
                from.wrong("credentials.assume_role.arn", AN_ARN);
                None
            }
            None => {
                if role != Self::default() {
                    from.wrong("credentials.assume_role.arn", AN_ARN);
                }
                None
            }
        }
    }
}

fn session_name(value: &Value) -> Parsed<String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    let name = text(value)?;
    if (2..=64).contains(&name.len()) && name.bytes().all(good) {
        Ok(name)
    } else {
        Err(SESSION_NAME)
    }
}

fn duration(value: &Value) -> Parsed<u32> {
    let seconds = seconds(value)?;
    if (900..=3600).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(DURATION)
    }
}

fn roles(value: &Value) -> Parsed<BTreeMap<String, String>> {
    let roles = pairs(value, ROLES)?;
    let good = |name: &str, arn: &str| is_path_segment(name) && is_role(arn);
    if roles.iter().all(|(name, arn)| good(name, arn)) {
        Ok(roles)
    } else {
        Err(ROLES)
    }
}

fn pairs(value: &Value, expected: &'static str) -> Parsed<BTreeMap<String, String>> {
    let pair = |word: &String| {
        let (name, value) = word.split_once('=')?;
        (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    let pairs: Option<BTreeMap<String, String>> = list(value, expected)?.iter().map(pair).collect();
    pairs.ok_or(expected)
}

/// `arn:PARTITION:iam::ACCOUNT:role/…`
fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", _, "iam", "", account, role]
        if account.len() == 12 && role.strip_prefix("role/").is_some_and(|name| !name.is_empty()))
}

fn is_path_segment(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !name.is_empty() && name.bytes().all(good) && !name.starts_with('.')
}
