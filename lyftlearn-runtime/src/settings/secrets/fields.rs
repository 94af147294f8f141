//! What can be said of one secret, after its name. These fields are rows like those of the
//! register, but have no variables: all secrets have one together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Declared, Env, Refused, Source, suggested};
use crate::choice::Choice;
use crate::contract::secrets as words;
use crate::layers::{BOOLEAN, Form, Key, Mistakes, Parsed, SECONDS, Unset};
use crate::settings::protected::{begins_protected, may_begin, may_set};
use crate::signal;
use crate::workload::Platform;

const A_SOURCE: &str = "confidant://SERVICE, aws-secretsmanager:NAME[?stage=STAGE|?version=ID][#KEY], \
                        aws-ssm:/NAME[#KEY], aws-ssm:/PATH/, file:/PATH or env:NAME";
const A_VARIABLE: &str = "a variable's name that is the program's own, or false";
const PROTECTED: &str = "a variable that is not protected; to set it on purpose, name it in the setting environment.allow";
const A_FILE: &str = "true, false, or a file's name";
const A_PREFIX: &str = "a prefix of variable names, such as CREDENTIALS_";
const A_SIGNAL: &str = "a signal that does not stop the program, such as SIGHUP";

/// Those that stop a program on one platform or the other, or never reach it.
const NOT_FOR_NEWS: [i32; 5] = [2, 9, 15, 17, 19];

/// Each field of a secret, named as in `[secrets.NAME]`. A field has no variable.
pub const FIELDS: &[Key] = &[
    Key {
        name: "env",
        form: Form::new(A_VARIABLE),
        default: Unset::Text(
            "the secret's name in upper case, with `_` for other characters; none for a bundle",
        ),
        doc: "Variable with the whole secret. `false` sets none.",
        example: "\"DB_PASSWORD\"",
    },
    Key {
        name: "env_prefix",
        form: Form::new(A_PREFIX),
        default: Unset::Text("CREDENTIALS_ for a bundle, else none"),
        doc: "Sets a variable for each key of the secret: this prefix and the key, both in \
              upper case.",
        example: "\"DB_\"",
    },
    Key {
        name: "file",
        form: Form::new(A_FILE),
        default: Unset::Value("false"),
        doc: "Whether the secret is a file in the directory of secrets. `true` names it \
              after the secret; a text is the file's name.",
        example: "true",
    },
    Key {
        name: "from",
        form: Form::new(A_SOURCE),
        default: Unset::Text("none"),
        doc: "Source of the secret, on platforms without a source of their own.",
        example: "\"aws-secretsmanager:ranking/db#password\"",
    },
    Key {
        name: "from.kubernetes",
        form: Form::new(A_SOURCE),
        default: Unset::Text("what `from` says"),
        doc: "Source of the secret on Kubernetes. It overrides `from`.",
        example: "\"file:/etc/secrets/db\"",
    },
    Key {
        name: "from.local",
        form: Form::new(A_SOURCE),
        default: Unset::Text("what `from` says"),
        doc: "Source of the secret in other containers and on hosts. It overrides `from`.",
        example: "\"env:DB_PASSWORD\"",
    },
    Key {
        name: "from.sagemaker",
        form: Form::new(A_SOURCE),
        default: Unset::Text("what `from` says"),
        doc: "Source of the secret on SageMaker. It overrides `from`.",
        example: "\"aws-ssm:/ranking/db\"",
    },
    Key {
        name: "on_change",
        form: Form::new(A_SIGNAL),
        default: Unset::Text("none"),
        doc: "Signal that the program receives after the secret's file has changed. It must \
              not be one that stops the program.",
        example: "\"SIGHUP\"",
    },
    Key {
        name: "override",
        form: BOOLEAN,
        default: Unset::Value("false"),
        doc: "Whether the secret replaces variables that are already set.",
        example: "true",
    },
    Key {
        name: "refresh",
        form: SECONDS,
        default: Unset::Value("600"),
        doc: "Seconds between two refreshes of the secret's file; 0 disables them.",
        example: "60",
    },
    Key {
        name: "required",
        form: BOOLEAN,
        default: Unset::Value("true"),
        doc: "Whether the start fails with exit code 125 if the secret is missing.",
        example: "false",
    },
];

/// The fields of one secret, and their mistakes.
pub(super) struct Fields<'a> {
    pub(super) words: &'a BTreeMap<&'static str, (String, Value)>,
    /// Protected variables that are meant.
    pub(super) allowed: &'a [String],
    pub(super) mistakes: &'a mut Mistakes,
}

impl Fields<'_> {
    pub(super) fn declared(&mut self, name: &str) -> Declared {
        if !file_name(name) {
            let expected = "letters, digits, -, _ and . in a secret's name";
            self.mistakes.expected(format!("secrets.{name}"), expected);
        }
        let mut sources = Vec::new();
        let fields = FIELDS.iter().map(|row| row.name);
        for field in fields.filter(|name| name.starts_with("from")) {
            let platform: Option<Platform> = field.strip_prefix("from.").and_then(Choice::of);
            let source = self.optional(field, |value| {
                value.as_str().and_then(Source::parse).ok_or(A_SOURCE)
            });
            sources.extend(source.map(|source| (platform, source)));
        }
        if !FIELDS
            .iter()
            .any(|field| field.name.starts_with("from") && self.words.contains_key(field.name))
        {
            let expected = "a source: set from";
            self.mistakes.expected(format!("secrets.{name}"), expected);
        }
        let allowed = self.allowed;
        let env = self.optional("env", |value| match (value, value.as_str()) {
            (Value::Bool(false), _) => Ok(Env::None),
            (_, None) => Err(A_VARIABLE),
            (_, Some(name)) => match may_set(name, allowed) {
                Ok(()) => Ok(Env::Named(name.to_owned())),
                Err(Refused::Protected) => Err(PROTECTED),
                Err(Refused::Name) => Err(A_VARIABLE),
            },
        });
        let bundle = sources.iter().any(|(_, source)| {
            matches!(source, Source::Confidant { .. } | Source::Parameters { .. })
        });
        let env = env.unwrap_or(Env::ByName);
        let prefix = self.optional("env_prefix", |value| {
            value
                .as_str()
                .filter(|prefix| may_begin(prefix) && !begins_protected(prefix, allowed))
                .map(str::to_owned)
                .ok_or(A_PREFIX)
        });
        let usual = (bundle && env == Env::ByName).then(|| words::PREFIX.to_owned());
        let file = self.value("file", |value| match (value, value.as_str()) {
            (Value::Bool(true), _) => Ok(Some(name.to_owned())),
            (Value::Bool(false), _) => Ok(None),
            (_, Some(name)) if file_name(name) => Ok(Some(name.to_owned())),
            _ => Err(A_FILE),
        });
        if matches!(&env, Env::ByName)
            && prefix.is_none()
            && usual.is_none()
            && may_set(&suggested(name), allowed).is_err()
        {
            let expected = "env: its name makes no variable's";
            self.mistakes.expected(format!("secrets.{name}"), expected);
        }
        Declared {
            name: name.to_owned(),
            sources,
            env,
            allowed: allowed.to_vec(),
            prefix: prefix.or(usual),
            file,
            required: self.value("required", boolean),
            overrides: self.value("override", boolean),
            refresh: self.value("refresh", seconds),
            on_change: self.optional("on_change", |value| {
                let number = value.as_str().and_then(signal::number);
                number
                    .filter(|number| !NOT_FOR_NEWS.contains(number))
                    .ok_or(A_SIGNAL)
            }),
        }
    }

    /// A field's value; `None` when no layer sets it, or when it is wrong.
    fn optional<T>(&mut self, field: &str, parse: impl FnOnce(&Value) -> Parsed<T>) -> Option<T> {
        let (shown, value) = self.words.get(field)?;
        match parse(value) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.mistakes.expected(shown.clone(), expected);
                None
            }
        }
    }

    /// The same, or the default of its row, as [`Reader::value`](crate::layers::Reader::value).
    fn value<T>(&mut self, field: &str, parse: impl Fn(&Value) -> Parsed<T>) -> T {
        if let Some(value) = self.optional(field, &parse) {
            return value;
        }
        let row = FIELDS.iter().find(|known| known.name == field);
        match row.map(|row| row.default) {
            Some(Unset::Value(default)) => {
                let default = serde_json::from_str(default).expect("a default is JSON");
                parse(&default).expect("a test reads the default of every row")
            }
            _ => unreachable!("the row of {field} has no value as its default"),
        }
    }
}

fn boolean(value: &Value) -> Parsed<bool> {
    value.as_bool().ok_or(BOOLEAN.expected)
}

fn seconds(value: &Value) -> Parsed<u32> {
    let seconds = value.as_u64().and_then(|seconds| seconds.try_into().ok());
    seconds.ok_or(SECONDS.expected)
}

/// A name within the directory of secrets, which keeps hidden ones for itself.
fn file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.bytes().all(plain)
}
