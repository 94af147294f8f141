//! The settings of credentials.

use std::collections::BTreeMap;

use figment::value::Value;

use crate::choice::choice;
use crate::layers::{
    BOOLEAN, Form, Key, PATHS, Parsed, Reader, SECONDS, TEXT, Unset, boolean, list, one_of, paths,
    seconds, text, text_of,
};
use crate::workload::{CredentialMode, CredentialSource};

const AN_ARN: &str = "a role's ARN, such as arn:aws:iam::123456789012:role/ranking";
const ROLES: &str =
    "a list of names and roles, such as [\"data=arn:aws:iam::123456789012:role/data\"]";
const TAGS: &str = "a list of tags, such as [\"team=ranking\"]";
const SESSION_NAME: &str = "2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -";
/// Roles are chained: STS refuses more than an hour, and less than 15 minutes.
const DURATION: &str = "900 to 3600 seconds, as STS refuses a longer chain of roles";

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "credentials.mode",
        form: Form::choice::<CredentialMode>(),
        default: Unset::Text(
            "broker; native for static keys or a profile, unless another setting of credentials is set",
        ),
        doc: "How the program gets AWS credentials. `broker` serves them on loopback, as the \
              only source. `native` leaves the platform's unchanged; `off` gives the program \
              none.",
        example: "\"native\"",
    },
    Key {
        name: "credentials.source",
        form: Form::choice::<Option<CredentialSource>>(),
        default: Unset::Value("auto"),
        doc: "Where AWS credentials come from. `auto` is the source that an AWS SDK would \
              find here, but never `imds`.",
        example: "\"web-identity\"",
    },
    Key {
        name: "credentials.required",
        form: BOOLEAN,
        default: Unset::Value("false"),
        doc: "Whether the program starts only if it has credentials. The runtime retries the \
              source, and exits with code 125 if it gets none in time.",
        example: "true",
    },
    Key {
        name: "credentials.startup_seconds",
        form: SECONDS,
        // What an agent on a fresh node may take.
        default: Unset::Value("15"),
        doc: "Seconds that a start waits for the first credentials. It applies only if \
              `credentials.required` is true.",
        example: "60",
    },
    Key {
        name: "credentials.profile_files",
        form: PATHS,
        default: Unset::Value("[]"),
        doc: "Files to write an AWS profile with a `credential_process` to. Set it for child \
              processes that lose the environment. An existing file is left unchanged.",
        example: "[\"/root/.aws/config\"]",
    },
    Key {
        name: "credentials.roles",
        form: Form::new(ROLES),
        default: Unset::Value("[]"),
        doc: "Further roles to serve by name, as `NAME=ARN`. Set it for a program that uses \
              several roles at once.",
        example: "[\"data=arn:aws:iam::123456789012:role/data\"]",
    },
    Key {
        name: "credentials.assume_role.arn",
        form: Form::new(AN_ARN),
        default: Unset::Text("none"),
        doc: "ARN of a role that the program gets instead of the platform's. The other \
              settings of `credentials.assume_role` need it.",
        example: "\"arn:aws:iam::123456789012:role/ranking\"",
    },
    Key {
        name: "credentials.assume_role.session_name",
        form: Form::new(SESSION_NAME),
        default: Unset::Text("AWS_ROLE_SESSION_NAME, else the platform and the job"),
        doc: "Session name for the role, which CloudTrail shows.",
        example: "\"ranking-7\"",
    },
    Key {
        name: "credentials.assume_role.duration_seconds",
        form: Form::new(DURATION),
        default: Unset::Text("3600"),
        doc: "Seconds until the role's credentials expire. The runtime refreshes them \
              before.",
        example: "900",
    },
    Key {
        name: "credentials.assume_role.external_id",
        form: TEXT,
        default: Unset::Text("none"),
        doc: "External ID for the role. Set it if the role's trust policy requires one.",
        example: "\"ranking\"",
    },
    Key {
        name: "credentials.assume_role.source_identity",
        form: Form::new(SESSION_NAME),
        default: Unset::Text("none: the original session's source identity is kept"),
        doc: "Source identity of the session. CloudTrail shows it through every further \
              role.",
        example: "\"ranking-team\"",
    },
    Key {
        name: "credentials.assume_role.tags",
        form: Form::new(TAGS),
        default: Unset::Value("[]"),
        doc: "Session tags for the role, as `NAME=VALUE`.",
        example: "[\"team=ranking\"]",
    },
];

/// How the program comes to an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// `None`: the source decides.
    pub(crate) mode: Option<CredentialMode>,
    /// `None`: the one that SDKs would find.
    pub(crate) source: Option<CredentialSource>,
    /// Whether the program starts only with an identity.
    pub(crate) required: bool,
    /// How long such a start waits.
    pub(crate) startup_seconds: u32,
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

// The names of sources. There is no name for "no source".
choice!(Option<CredentialSource> {
    None => "auto",
    Some(CredentialSource::Static) => "static",
    Some(CredentialSource::WebIdentity) => "web-identity",
    Some(CredentialSource::Profile) => "profile",
    Some(CredentialSource::Container) => "container",
    Some(CredentialSource::PodIdentity) => "pod-identity",
    Some(CredentialSource::Imds) => "imds",
});

impl Credentials {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            mode: from.optional("credentials.mode", one_of),
            source: from.value("credentials.source", one_of),
            required: from.value("credentials.required", boolean),
            startup_seconds: from.value("credentials.startup_seconds", seconds),
            profile_files: from.value("credentials.profile_files", paths),
            roles: from.value("credentials.roles", roles),
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
            tags: from.value("credentials.assume_role.tags", |value| pairs(value, TAGS)),
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
    let name = text_of(value, SESSION_NAME)?;
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

/// Names with values.
pub(super) fn pairs(value: &Value, expected: &'static str) -> Parsed<BTreeMap<String, String>> {
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
