//! The program's whole environment: what was found, with ours in it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::fault::DeliveryFault;
use crate::contract::{delivered, limits};
use crate::error::Error;

/// What an environment is made of, low to high but for the names that are reserved to us.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layers<'a> {
    /// What this process was started with: the image's and the platform's together.
    pub found: &'a [(OsString, OsString)],
    /// What the image alone would have given, where it is known.
    pub image: &'a [(OsString, OsString)],
    /// What the deployment gives by document: name, value, document.
    pub documents: &'a [(OsString, OsString, PathBuf)],
    /// What this runtime sets.
    pub ours: &'a [(String, OsString)],
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The image's `ENV`.
    Image,
    /// The platform's API or the pod spec; where the image's own environment is not known,
    /// that too.
    Environment,
    /// A document of the config directory.
    Document(PathBuf),
    /// This runtime.
    Runtime,
}

/// One variable of the program's, and what it stands over.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: OsString,
    /// Its value, and where that comes from.
    pub value: (Source, OsString),
    /// What would stand there otherwise, highest first.
    pub shadowed: Vec<(Source, OsString)>,
}

/// No value: it may be a secret.
impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variable")
            .field("name", &self.name)
            .field("source", &self.value.0)
            .finish_non_exhaustive()
    }
}

/// Lays the layers over each other: the order of what was found is kept, new names stand at
/// the end. A name that is reserved to us is ours or is gone; of any other the highest
/// layer wins that is not blank: ours, document, environment.
#[must_use]
pub fn layered(layers: &Layers<'_>) -> Vec<Variable> {
    let image: BTreeMap<_, _> = pairs(layers.image);
    let mut documents: BTreeMap<&OsStr, &(OsString, OsString, PathBuf)> = layers
        .documents
        .iter()
        .map(|document| (document.0.as_os_str(), document))
        .collect();
    let mut ours: BTreeMap<&OsStr, &OsString> = layers
        .ours
        .iter()
        .map(|(name, value)| (OsStr::new(name), value))
        .collect();
    let mut merged = Vec::new();
    for (name, value) in layers.found {
        let name = name.as_os_str();
        let mut stack = Vec::new();
        if image.get(name) == Some(&value.as_os_str()) {
            stack.push((Source::Image, value.clone()));
            stack.extend(documents.remove(name).map(from_document));
        } else {
            stack.extend(documents.remove(name).map(from_document));
            stack.push((Source::Environment, value.clone()));
        }
        let own = ours.remove(name).map(|own| (Source::Runtime, own.clone()));
        if reserved(name) {
            if own.is_none() {
                continue;
            }
            stack.extend(own);
        } else if let Some(own) = own {
            stack.insert(0, own);
        }
        merged.extend(top(name, stack));
    }
    // In the order of the contract, and after it what is left of the documents.
    for (name, value) in layers.ours {
        if ours.remove(OsStr::new(name)).is_some() {
            let document = documents.remove(OsStr::new(name)).map(from_document);
            let own = [(Source::Runtime, value.clone())];
            merged.extend(top(
                OsStr::new(name),
                own.into_iter().chain(document).collect(),
            ));
        }
    }
    for (name, _, _) in layers.documents {
        if let Some(document) = documents.remove(name.as_os_str()) {
            merged.extend(top(name, vec![from_document(document)]));
        }
    }
    merged
}

/// The whole environment of the program. Sizes are checked here, so that "argument
/// list too long" never reaches a user.
///
/// # Errors
///
/// When a variable or the whole is over the kernel's limit.
pub fn environment(
    layers: &Layers<'_>,
    argv: &[OsString],
) -> Result<Vec<(OsString, OsString)>, Error> {
    let merged: Vec<_> = layered(layers)
        .into_iter()
        .map(|variable| (variable.name, variable.value.1))
        .collect();
    check_sizes(&merged, argv)?;
    Ok(merged)
}

fn pairs(list: &[(OsString, OsString)]) -> BTreeMap<&OsStr, &OsStr> {
    list.iter()
        .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
        .collect()
}

fn from_document((_, value, path): &(OsString, OsString, PathBuf)) -> (Source, OsString) {
    (Source::Document(path.clone()), value.clone())
}

/// The highest that is not blank; what is blank everywhere stays as it is.
fn top(name: &OsStr, mut stack: Vec<(Source, OsString)>) -> Option<Variable> {
    let winner = stack
        .iter()
        .rposition(|(_, value)| !value.is_empty())
        .or(stack.len().checked_sub(1))?;
    let value = stack.remove(winner);
    stack.reverse();
    Some(Variable {
        name: name.to_owned(),
        value,
        shadowed: stack,
    })
}

fn reserved(name: &OsStr) -> bool {
    name.to_str().is_some_and(delivered::reserved)
}

fn check_sizes(vars: &[(OsString, OsString)], argv: &[OsString]) -> Result<(), Error> {
    const POINTER: usize = size_of::<usize>();
    let mut total: usize = argv.iter().map(|word| word.len() + 1 + POINTER).sum();
    for (name, value) in vars {
        // NAME, =, value and the NUL.
        let bytes = name.len() + value.len() + 2;
        if bytes > limits::ENVIRONMENT_STRING_BYTES {
            let name = name.to_string_lossy().into_owned();
            let limit = limits::ENVIRONMENT_STRING_BYTES;
            return Err(DeliveryFault::VariableTooLong { name, bytes, limit }.into());
        }
        total += bytes + POINTER;
    }
    for word in argv {
        let bytes = word.len() + 1;
        if bytes > limits::ENVIRONMENT_STRING_BYTES {
            let limit = limits::ENVIRONMENT_STRING_BYTES;
            return Err(DeliveryFault::ArgumentTooLong { bytes, limit }.into());
        }
    }
    let limit = total_limit();
    if total > limit {
        return Err(DeliveryFault::EnvironmentTooLarge {
            bytes: total,
            limit,
        }
        .into());
    }
    Ok(())
}

/// A quarter of the stack's limit, at least 32 pages and at most 6 MiB (execve(2),
/// "Limits on size of arguments and environment"). The C library's own answer is a
/// constant where it is musl.
fn total_limit() -> usize {
    let stack = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
    let quarter = stack.map_or(usize::MAX, |bytes| {
        usize::try_from(bytes / 4).unwrap_or(usize::MAX)
    });
    quarter.clamp(limits::ENVIRONMENT_STRING_BYTES, limits::ENVIRONMENT_BYTES)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{Layers, Source, environment, layered};

    fn vars(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        list.iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn ours(list: &[(&str, &str)]) -> Vec<(String, OsString)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), value.into()))
            .collect()
    }

    #[track_caller]
    fn check(layers: &Layers<'_>, expected: &[(&str, &str)]) {
        assert_eq!(environment(layers, &[]).unwrap(), vars(expected));
    }

    #[test]
    fn order_is_kept_ours_are_replaced_in_place_and_leftovers_go() {
        check(
            &Layers {
                found: &vars(&[
                    ("Z", "1"),
                    ("LYFTLEARN_ROLE", "outer"),
                    ("LYFTLEARN_CHANNEL_OLD", "/old"),
                    ("LYFTLEARN_RUNTIME_LOG", "off"),
                    ("LYFTLEARN_MINE", "kept"),
                    ("A", "2"),
                ]),
                ours: &ours(&[("LYFTLEARN_ROLE", "job"), ("LYFTLEARN_NODES", "1")]),
                ..Layers::default()
            },
            &[
                ("Z", "1"),
                ("LYFTLEARN_ROLE", "job"),
                ("LYFTLEARN_RUNTIME_LOG", "off"),
                ("LYFTLEARN_MINE", "kept"),
                ("A", "2"),
                ("LYFTLEARN_NODES", "1"),
            ],
        );
    }

    #[test]
    fn a_name_that_is_not_reserved_keeps_what_was_found() {
        check(
            &Layers {
                found: &vars(&[("AWS_REGION", "eu-west-1"), ("MASTER_ADDR", "")]),
                ours: &ours(&[
                    ("AWS_REGION", "us-east-1"),
                    ("AWS_DEFAULT_REGION", "us-east-1"),
                    ("MASTER_ADDR", "algo-1"),
                ]),
                ..Layers::default()
            },
            &[
                ("AWS_REGION", "eu-west-1"),
                ("MASTER_ADDR", "algo-1"),
                ("AWS_DEFAULT_REGION", "us-east-1"),
            ],
        );
    }

    #[test]
    fn a_document_stands_between_the_image_and_the_platform() {
        let document = |name: &str| (name.into(), "document".into(), "/d/environment.json".into());
        let layers = Layers {
            found: &vars(&[("OF_IMAGE", "image"), ("OF_POD", "pod"), ("BLANK", "")]),
            image: &vars(&[("OF_IMAGE", "image"), ("OF_POD", "image")]),
            documents: &["OF_IMAGE", "OF_POD", "BLANK", "PET_NNODES", "NEW"].map(document),
            ours: &ours(&[("PET_NNODES", "2")]),
        };
        check(
            &layers,
            &[
                ("OF_IMAGE", "document"),
                ("OF_POD", "pod"),
                ("BLANK", "document"),
                ("PET_NNODES", "document"),
                ("NEW", "document"),
            ],
        );
        let of_image = &layered(&layers)[0];
        assert_eq!(
            of_image.value.0,
            Source::Document("/d/environment.json".into())
        );
        assert_eq!(of_image.shadowed, [(Source::Image, "image".into())]);
        assert!(!format!("{of_image:?}").contains("\"document\""));
    }

    #[track_caller]
    fn refused(found: &[(OsString, OsString)], report: &str) {
        let layers = Layers {
            found,
            ..Layers::default()
        };
        let shown = environment(&layers, &[]).unwrap_err().report();
        assert!(shown.starts_with(report), "{shown}");
        assert!(shown.ends_with(
            "hint: deliver large values as a file in the config directory, and read that\n"
        ));
        assert!(!shown.contains("xxxx"), "{shown}");
    }

    #[test]
    fn a_variable_over_the_kernels_limit_is_refused_by_name_and_size() {
        let just_fits = "x".repeat(131_072 - "BIG=".len() - 1);
        check(
            &Layers {
                found: &vars(&[("BIG", &just_fits)]),
                ..Layers::default()
            },
            &[("BIG", &just_fits)],
        );
        refused(
            &vars(&[("BIG", &format!("{just_fits}x"))]),
            "lyftlearn-runtime: cannot pass $BIG on: 131073 bytes with its name, the kernel takes 131072\n",
        );
    }

    #[test]
    fn an_environment_over_the_kernels_limit_is_refused_by_size() {
        let value = "x".repeat(100_000);
        let many: Vec<(OsString, OsString)> = (0..1000)
            .map(|number| (format!("V{number}").into(), value.clone().into()))
            .collect();
        refused(
            &many,
            "lyftlearn-runtime: cannot pass the environment on: 100",
        );
    }
}
