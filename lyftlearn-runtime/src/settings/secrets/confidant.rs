//! The settings of all secrets together, and of Confidant.

use figment::value::Value;
use serde::{Deserialize, Serialize};

#[cfg(all(feature = "agent", feature = "cli"))]
use crate::choice::Choice;
use crate::choice::choice;
use crate::layers::{Form, Key, Parsed, Reader, SECONDS, TEXT, Unset, one_of, text, text_of};

const TABLES: &str = "tables, such as [secrets.db]";
const URL: &str = "a URL, such as https://confidant.example.net";

pub(in crate::settings) const KEYS: &[Key] = &[
    Key {
        name: "secrets",
        form: Form::new(TABLES),
        default: Unset::Text("none"),
        doc: "Secrets of the program: in a file, a table `[secrets.NAME]` for each. The \
              variable holds all of them as one JSON object. It overrides files field by \
              field.",
        example: "{ db = { from = \"env:DB_PASSWORD\" } }",
    },
    Key {
        name: "secrets.deadline",
        form: SECONDS,
        default: Unset::Value("10"),
        doc: "Seconds that a start may wait for secrets, all together.",
        example: "30",
    },
    Key {
        name: "confidant.url",
        form: Form::new(URL),
        default: Unset::Text("none"),
        doc: "URL of Confidant. Sources that begin with `confidant://` need it.",
        example: "\"https://confidant.example.net\"",
    },
    Key {
        name: "confidant.auth_key",
        form: TEXT,
        default: Unset::Text("none"),
        doc: "KMS key for Confidant's tokens: an alias, an ID or an ARN. Sources that begin \
              with `confidant://` need it.",
        example: "\"alias/authnz\"",
    },
    Key {
        name: "confidant.from",
        form: TEXT,
        default: Unset::Text("none"),
        doc: "Name of the service or user that the runtime authenticates as. Sources that \
              begin with `confidant://` need it.",
        example: "\"ranking\"",
    },
    Key {
        name: "confidant.to",
        form: TEXT,
        default: Unset::Text("none"),
        doc: "Name of the Confidant that the token is for. Sources that begin with \
              `confidant://` need it.",
        example: "\"confidant\"",
    },
    Key {
        name: "confidant.user_type",
        form: Form::choice::<UserType>(),
        default: Unset::Value("service"),
        doc: "Whether `confidant.from` is the name of a service or of a user.",
        example: "\"user\"",
    },
    Key {
        name: "confidant.region",
        form: TEXT,
        default: Unset::Text("the region of the job"),
        doc: "AWS region of the KMS key and of the keys of blind credentials.",
        example: "\"us-east-1\"",
    },
];

/// How Confidant is called. Settings without a default are required only by a `confidant://`
/// source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confidant {
    pub(crate) url: Option<String>,
    /// The KMS key for authentication, by alias, id or ARN.
    pub(crate) auth_key: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) user_type: UserType,
    pub(crate) region: Option<String>,
}

/// What authenticates to Confidant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UserType {
    Service,
    User,
}

choice!(UserType {
    Self::Service => "service",
    Self::User => "user",
});

#[cfg(all(feature = "agent", feature = "cli"))]
impl UserType {
    /// As Confidant spells it, too.
    pub(crate) fn as_str(self) -> &'static str {
        self.word()
    }
}

impl Confidant {
    pub(in crate::settings) fn read(from: &mut Reader) -> Self {
        Self {
            url: from.optional("confidant.url", url),
            auth_key: from.optional("confidant.auth_key", text),
            from: from.optional("confidant.from", text),
            to: from.optional("confidant.to", text),
            user_type: from.value("confidant.user_type", one_of),
            region: from.optional("confidant.region", text),
        }
    }
}

fn url(value: &Value) -> Parsed<String> {
    let text = text_of(value, URL)?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    // A name and a password in it would be a secret among settings.
    if rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '?', '#'])) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(URL)
    }
}

/// The table `secrets` without the declared secrets is a table of settings.
pub(in crate::settings) fn is_table(value: &Value) -> Parsed<()> {
    value.as_dict().map(|_| ()).ok_or(TABLES)
}
