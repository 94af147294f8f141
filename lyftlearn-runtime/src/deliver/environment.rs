//! The program's whole environment: the inherited one, with ours in it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::fault::DeliveryFault;
use crate::contract::{delivered, limits};
use crate::error::Error;

/// What an environment is made of, low to high but for the names that are reserved to us.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Layers<'a> {
    /// What this process was started with: the image's and the platform's together.
    pub(crate) found: &'a [(OsString, OsString)],
    /// What the image alone would have given, where it is known.
    pub(crate) image: &'a [(OsString, OsString)],
    /// What the deployment gives by document: name, value, document.
    pub(crate) documents: &'a [(OsString, OsString, PathBuf)],
    /// What this runtime sets.
    pub(crate) ours: &'a [(String, OsString)],
    /// What it sets where there is room: the largest are left out before anything is refused.
    pub(crate) optional: &'a [(String, String)],
    /// Names that this start reserves. They are removed unless this runtime sets them.
    pub(crate) taken: &'a [String],
    /// Secrets: below all other layers, or above them if they override.
    pub(crate) secrets: &'a [SecretVariable],
}

/// A secret's value under a variable's name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretVariable {
    /// The variable's name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: OsString,
    /// The secret's name.
    pub(crate) secret: String,
    /// Whether it overrides variables that are set.
    pub(crate) overrides: bool,
}

/// No value.
impl fmt::Debug for SecretVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretVariable")
            .field("name", &self.name)
            .field("secret", &self.secret)
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
}

/// The whole environment of a program.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Names and values, in order.
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// Names for which there was no room.
    pub(crate) left_out: Vec<String>,
}

/// No values: they may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&OsString> = self.variables.iter().map(|(name, _)| name).collect();
        f.debug_struct("Environment")
            .field("variables", &names)
            .field("left_out", &self.left_out)
            .finish()
    }
}

/// The kernel counts each string's address, too.
const POINTER: usize = size_of::<usize>();

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The image's `ENV`.
    Image,
    /// The platform's API or the pod spec; where the image's own environment is not known,
    /// that too.
    Environment,
    /// A document of the config directory.
    Document(PathBuf),
    /// This runtime.
    Runtime,
    /// A secret, by its name.
    Secret(String),
}

/// A variable of the program, and the values that it overrides.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: OsString,
    /// Its value, and where that comes from.
    pub(crate) value: (Source, OsString),
    /// What would stand there otherwise, highest first.
    pub(crate) shadowed: Vec<(Source, OsString)>,
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

/// Lays the layers over each other. Inherited variables keep their order, new names are added at
/// the end. A reserved name has our value or is removed. For any other name the highest layer with
/// a value that is not blank wins: ours, document, environment.
#[must_use]
pub(crate) fn layered(layers: &Layers<'_>) -> Vec<Variable> {
    let image: BTreeMap<_, _> = pairs(layers.image);
    let mut documents: BTreeMap<&OsStr, &(OsString, OsString, PathBuf)> = layers
        .documents
        .iter()
        .map(|document| (document.0.as_os_str(), document))
        .collect();
    let all_of_ours = || {
        let ours = layers.ours.iter();
        let ours = ours.map(|(name, value)| (OsStr::new(name), value.as_os_str()));
        let optional = layers.optional.iter();
        ours.chain(optional.map(|(name, value)| (OsStr::new(name), OsStr::new(value))))
    };
    let mut ours: BTreeMap<&OsStr, &OsStr> = all_of_ours().collect();
    let mut merged = Vec::new();
    let taken: std::collections::BTreeSet<&str> = layers.taken.iter().map(String::as_str).collect();
    let reserved = |name: &OsStr| {
        name.to_str()
            .is_some_and(|name| delivered::reserved(name) || taken.contains(name))
    };
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
        let own = ours
            .remove(name)
            .map(|own| (Source::Runtime, own.to_owned()));
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
    // In the order of the contract, followed by the other variables of the documents.
    for (name, value) in all_of_ours() {
        if ours.remove(name).is_some() {
            let document = documents.remove(name).map(from_document);
            let own = [(Source::Runtime, value.to_owned())];
            let mut stack: Vec<_> = own.into_iter().chain(document).collect();
            if reserved(name) {
                stack.reverse();
            }
            merged.extend(top(name, stack));
        }
    }
    for (name, _, _) in layers.documents {
        if let Some(document) = documents.remove(name.as_os_str())
            && !reserved(name)
        {
            merged.extend(top(name, vec![from_document(document)]));
        }
    }
    // A bundle may have thousands of keys, and an environment as many variables.
    let mut places: HashMap<OsString, usize> = HashMap::new();
    if !layers.secrets.is_empty() {
        for (place, variable) in merged.iter().enumerate() {
            places.entry(variable.name.clone()).or_insert(place);
        }
    }
    for secret in layers.secrets {
        let name = OsString::from(secret.name.clone());
        let place = *places.entry(name).or_insert(merged.len());
        lay(secret, place, &mut merged);
    }
    merged
}

/// A secret below everything, or above it. A variable set to the empty string counts as set, as in
/// the shell's `: ${NAME=value}`, which other tools use to inject secrets.
fn lay(secret: &SecretVariable, place: usize, merged: &mut Vec<Variable>) {
    let value = (Source::Secret(secret.secret.clone()), secret.value.clone());
    match merged.get_mut(place) {
        Some(variable) if secret.overrides => {
            let before = std::mem::replace(&mut variable.value, value);
            variable.shadowed.insert(0, before);
        }
        Some(variable) => variable.shadowed.push(value),
        None => merged.push(Variable {
            name: secret.name.clone().into(),
            value,
            shadowed: Vec::new(),
        }),
    }
}

/// The whole environment of the program. Sizes are checked here, so that "argument
/// list too long" never reaches a user.
///
/// # Errors
///
/// If a variable or the whole environment is over the kernel's limit.
pub(crate) fn environment(layers: &Layers<'_>, argv: &[OsString]) -> Result<Environment, Error> {
    let mut merged = layered(layers);
    let left_out = make_room(layers, &mut merged, argv);
    let variables: Vec<_> = merged
        .into_iter()
        .map(|variable| (variable.name, variable.value.1))
        .collect();
    check_sizes(&variables, argv)?;
    Ok(Environment {
        variables,
        left_out,
    })
}

/// Leaves optional ones out, the largest first, until the rest fits. Their names.
fn make_room(layers: &Layers<'_>, merged: &mut Vec<Variable>, argv: &[OsString]) -> Vec<String> {
    let words: usize = argv.iter().map(|word| word.len() + 1 + POINTER).sum();
    let variables = merged.iter();
    let sizes = variables.map(|variable| bytes(&variable.name, &variable.value.1) + POINTER);
    let mut over = (words + sizes.sum::<usize>()).saturating_sub(total_limit());
    if over == 0 {
        return Vec::new();
    }
    let mut optional: Vec<_> = layers
        .optional
        .iter()
        .map(|(name, value)| (bytes(name.as_ref(), value.as_ref()) + POINTER, name))
        .collect();
    optional.sort_by(|a, b| b.cmp(a));
    let mut left_out = std::collections::BTreeSet::new();
    let ours: BTreeMap<&OsStr, bool> = merged
        .iter()
        .map(|variable| {
            (
                variable.name.as_os_str(),
                variable.value.0 == Source::Runtime,
            )
        })
        .collect();
    for (size, name) in optional {
        if over == 0 {
            break;
        }
        if ours.get(OsStr::new(name)) == Some(&true) {
            left_out.insert(name.clone());
            over = over.saturating_sub(size);
        }
    }
    merged.retain(|variable| !(variable.name.to_str()).is_some_and(|name| left_out.contains(name)));
    left_out.into_iter().collect()
}

/// `NAME=value` and the NUL.
fn bytes(name: &OsStr, value: &OsStr) -> usize {
    name.len() + value.len() + 2
}

fn pairs(list: &[(OsString, OsString)]) -> BTreeMap<&OsStr, &OsStr> {
    list.iter()
        .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
        .collect()
}

fn from_document((_, value, path): &(OsString, OsString, PathBuf)) -> (Source, OsString) {
    (Source::Document(path.clone()), value.clone())
}

/// The highest layer that is not blank. A name that is blank in every layer stays as it is.
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

fn check_sizes(vars: &[(OsString, OsString)], argv: &[OsString]) -> Result<(), Error> {
    let mut total: usize = argv.iter().map(|word| word.len() + 1 + POINTER).sum();
    for (name, value) in vars {
        let bytes = bytes(name, value);
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
mod tests;
