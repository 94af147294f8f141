//! The settings of the identity.

use std::collections::BTreeMap;

use super::Reader;

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

impl Reader {
    pub(super) fn identity(&mut self) -> Identity {
        Identity {
            mode: self.choice("credentials.mode"),
            source: self
                .choice("credentials.source")
                .filter(|source| source != "auto"),
            required: self.truth("credentials.required").unwrap_or(false),
            startup_seconds: self.seconds("credentials.startup_seconds"),
            profile_files: self.paths("credentials.profile_files").unwrap_or_default(),
            roles: self.roles("credentials.roles"),
            assume_role: self.assume_role(),
        }
    }

    fn assume_role(&mut self) -> Option<AssumeRole> {
        let arn = self.text("credentials.assume_role.arn");
        let role = AssumeRole {
            session_name: self.checked(
                "credentials.assume_role.session_name",
                SESSION_NAME,
                is_session_name,
            ),
            duration_seconds: self.duration("credentials.assume_role.duration_seconds"),
            external_id: self.text("credentials.assume_role.external_id"),
            source_identity: self.checked(
                "credentials.assume_role.source_identity",
                SESSION_NAME,
                is_session_name,
            ),
            tags: self.pairs("credentials.assume_role.tags", TAGS),
            arn: arn.clone().unwrap_or_default(),
        };
        match arn {
            Some(arn) if is_role(&arn) => Some(role),
            Some(_) => {
                self.wrong("credentials.assume_role.arn", AN_ARN);
                None
            }
            None => {
                if role != AssumeRole::default() {
                    self.wrong("credentials.assume_role.arn", AN_ARN);
                }
                None
            }
        }
    }

    fn checked(
        &mut self,
        key: &'static str,
        expected: &'static str,
        good: fn(&str) -> bool,
    ) -> Option<String> {
        let text = self.text(key)?;
        if good(&text) {
            return Some(text);
        }
        self.wrong(key, expected);
        None
    }

    fn duration(&mut self, key: &'static str) -> Option<u32> {
        let seconds = self.seconds(key)?;
        if (900..=3600).contains(&seconds) {
            return Some(seconds);
        }
        self.wrong(key, DURATION);
        None
    }

    fn roles(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let roles = self.pairs(key, ROLES);
        let good = |name: &str, arn: &str| is_path_segment(name) && is_role(arn);
        if roles.iter().all(|(name, arn)| good(name, arn)) {
            return roles;
        }
        self.wrong(key, ROLES);
        BTreeMap::new()
    }

    fn pairs(&mut self, key: &'static str, expected: &'static str) -> BTreeMap<String, String> {
        let words = self.list(key, expected).unwrap_or_default();
        let pairs: Option<BTreeMap<String, String>> = words
            .iter()
            .map(|word| {
                let (name, value) = word.split_once('=')?;
                (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
            })
            .collect();
        pairs.unwrap_or_else(|| {
            self.wrong(key, expected);
            BTreeMap::new()
        })
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/…`
fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", _, "iam", "", account, role]
        if account.len() == 12 && role.strip_prefix("role/").is_some_and(|name| !name.is_empty()))
}

fn is_session_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (2..=64).contains(&name.len()) && name.bytes().all(good)
}

fn is_path_segment(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !name.is_empty() && name.bytes().all(good) && !name.starts_with('.')
}
