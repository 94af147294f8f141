//! Where a secret comes from.

use serde::{Deserialize, Serialize};

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// All credentials of a Confidant service.
    Confidant { service: String },
    /// A version of a secret, or one key of the JSON object that it is.
    SecretsManager {
        id: String,
        stage: Option<String>,
        version: Option<String>,
        key: Option<String>,
    },
    /// A parameter (`NAME:VERSION`, `NAME:LABEL` too), or one key of the JSON object.
    Parameter { name: String, key: Option<String> },
    /// Every parameter below a path.
    Parameters { path: String },
    /// A file, or a directory with a key in each file.
    File { path: String },
    /// A variable of this process.
    Variable { name: String },
}

impl Source {
    /// Whether it is asked for over a network.
    pub(crate) fn is_remote(&self) -> bool {
        !matches!(self, Self::File { .. } | Self::Variable { .. })
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some(match scheme {
            "confidant" => {
                let service = filled(rest.strip_prefix("//")?)?;
                // It becomes a part of a URL's path as it is.
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
                service.bytes().all(plain).then_some(())?;
                Self::Confidant { service }
            }
            "aws-secretsmanager" => {
                let (rest, key) = keyed(rest)?;
                let (id, version) = match rest.split_once('?') {
                    None => (rest, None),
                    Some((id, version)) => (id, Some(version.split_once('=')?)),
                };
                let (stage, version) = match version {
                    None => (None, None),
                    Some(("stage", stage)) => (Some(filled(stage)?), None),
                    Some(("version", version)) => (None, Some(filled(version)?)),
                    Some(_) => return None,
                };
                Self::SecretsManager {
                    id: filled(id)?,
                    stage,
                    version,
                    key,
                }
            }
            "aws-ssm" if rest.ends_with('/') && rest.starts_with('/') => Self::Parameters {
                path: rest.to_owned(),
            },
            "aws-ssm" => {
                let (name, key) = keyed(rest)?;
                Self::Parameter {
                    name: filled(name)?,
                    key,
                }
            }
            "file" => Self::File {
                path: filled(rest).filter(|path| path.starts_with('/'))?,
            },
            "env" => Self::Variable {
                name: filled(rest).filter(|name| !name.contains('='))?,
            },
            _ => return None,
        })
        .filter(|_| !text.contains(['\0', '\n']))
    }
}

/// A reference, and what follows its `#`.
fn keyed(text: &str) -> Option<(&str, Option<String>)> {
    match text.split_once('#') {
        None => Some((text, None)),
        Some((_, "")) => None,
        Some((name, key)) => Some((name, Some(key.to_owned()))),
    }
}
