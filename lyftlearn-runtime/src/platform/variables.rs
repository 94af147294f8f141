//! Variables that a deployment gives by document: any number, and no platform's limits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::documents;
use crate::contract::{delivered, limits, runtime};
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;
use crate::settings::{Settings, is_protected};

/// A variable, and its document.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The document's path.
    pub document: PathBuf,
}

/// No value: it may be a secret.
impl fmt::Debug for DocumentVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentVariable")
            .field("name", &self.name)
            .field("document", &self.document)
            .finish_non_exhaustive()
    }
}

/// Every mistake of a document at once. The value is not part of it.
#[derive(Debug)]
struct VariablesFault {
    path: String,
    mistakes: Mistakes,
}

/// The first of them by name, and how many more there are.
#[derive(Debug, Default)]
struct Mistakes {
    named: Vec<(String, Mistake)>,
    more: usize,
}

impl Mistakes {
    fn add(&mut self, name: impl Into<String>, mistake: Mistake) {
        if self.named.len() < limits::MISTAKES {
            self.named.push((name.into(), mistake));
        } else {
            self.more += 1;
        }
    }

    fn then(mut self, others: Self) -> Self {
        self.more += others.more;
        for (name, mistake) in others.named {
            self.add(name, mistake);
        }
        self
    }
}

/// More variables than any program could be started with.
#[derive(Debug)]
struct TooManyFault {
    path: String,
}

impl fmt::Display for TooManyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot use the variables of {}: together they are over {} bytes, the limit of Linux",
            self.path,
            limits::ENVIRONMENT_BYTES
        )
    }
}

impl Fault for TooManyFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Settings
    }

    fn hint(&self) -> Option<String> {
        Some("deliver large values as a file".to_owned())
    }
}

#[derive(Debug)]
enum Mistake {
    Name,
    Text,
    Nul,
    Protected,
    Reserved,
    Setting,
    Line(usize),
    Blank(usize),
}

impl fmt::Display for VariablesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use the variables of {}", self.path)?;
        for (name, mistake) in &self.mistakes.named {
            let why = match mistake {
                Mistake::Line(number) => {
                    write!(f, "\n  line {number}: expected NAME=VALUE")?;
                    continue;
                }
                Mistake::Blank(number) => {
                    write!(
                        f,
                        "\n  line {number}: white space in the name; write NAME=VALUE, without \
                         export and without spaces around the ="
                    )?;
                    continue;
                }
                Mistake::Name => "not a valid variable name",
                Mistake::Text => "expected a string, a number or a boolean",
                Mistake::Nul => "its value has a NUL byte",
                Mistake::Protected => {
                    "protected; to set it on purpose, name it in the setting environment.allow"
                }
                Mistake::Reserved => "reserved: this runtime sets it",
                Mistake::Setting => "a setting; put it into runtime.toml",
            };
            write!(f, "\n  {}: {why}", visible(name))?;
        }
        match self.mistakes.more {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// In quotes where it holds something that cannot be seen, such as a space or a carriage
/// return.
fn visible(name: &str) -> Cow<'_, str> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        name.into()
    } else {
        format!("{name:?}").into()
    }
}

impl Fault for VariablesFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Settings
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

/// Both documents of the config directory, by name; lines stand over JSON.
pub(crate) fn read(
    facts: &Facts,
    settings: &Settings,
    config_dir: &str,
) -> Result<Vec<DocumentVariable>, Error> {
    let mut variables = BTreeMap::new();
    for (file, parse) in [
        (runtime::ENVIRONMENT_JSON, parse_json as Parse),
        (runtime::ENVIRONMENT_LINES, parse_lines),
    ] {
        let path = format!("{config_dir}/{file}");
        let Some(bytes) = documents::checked(facts, &path, limits::DOCUMENT_BYTES)? else {
            continue;
        };
        let (mut of_form, mut others) = (Mistakes::default(), Mistakes::default());
        let mut left = Some(limits::ENVIRONMENT_BYTES);
        parse(&path, bytes, &mut |name, value| {
            let value = match value {
                Ok(value) => value,
                Err(mistake) => return of_form.add(name, mistake),
            };
            if let Some(mistake) = mistake(&name, &value, settings) {
                return others.add(name, mistake);
            }
            // Each is a string with its NUL and `=`, and its address.
            let taken = name.len() + value.len() + 2 + size_of::<usize>();
            left = left.and_then(|left| left.checked_sub(taken));
            if left.is_some() {
                let variable = (value.into_owned(), PathBuf::from(&path));
                variables.insert(name.into_owned(), variable);
            }
        })?;
        let mistakes = of_form.then(others);
        if !mistakes.named.is_empty() {
            return Err(VariablesFault { path, mistakes }.into());
        }
        if left.is_none() {
            return Err(TooManyFault { path }.into());
        }
    }
    let named = |(name, (value, document))| DocumentVariable {
        name,
        value,
        document,
    };
    Ok(variables.into_iter().map(named).collect())
}

/// What `env -0` printed when the image was built.
pub(crate) fn image(facts: &Facts) -> Result<Vec<(OsString, OsString)>, Error> {
    let bytes = facts.file(runtime::IMAGE_ENVIRONMENT, limits::DOCUMENT_BYTES)?;
    let bytes = bytes.unwrap_or_default();
    let pair = |line: &[u8]| {
        let at = line.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((text(&line[..at]), text(&line[at + 1..])))
    };
    Ok(bytes.split(|byte| *byte == 0).filter_map(pair).collect())
}

/// Called for each variable, or for a mistake in its place.
type Look<'a> = dyn FnMut(Cow<'_, str>, Result<Cow<'_, str>, Mistake>) + 'a;
type Parse = fn(&str, Vec<u8>, &mut Look<'_>) -> Result<(), Error>;

fn parse_json(path: &str, bytes: Vec<u8>, look: &mut Look<'_>) -> Result<(), Error> {
    let text = documents::utf8(path, bytes)?;
    documents::entries(path, &text, |name, raw| match documents::text(raw) {
        Some(text) if !raw.get().starts_with(['{', '[', 'n']) => look(name, Ok(text)),
        _ => look(name, Err(Mistake::Text)),
    })
}

/// As `docker run --env-file` reads lines: all after the first `=` is the value, nothing is
/// quoted or replaced; `#` begins a comment's line. A byte order mark before the first line
/// is skipped, and a name with white space is an error.
fn parse_lines(_: &str, bytes: Vec<u8>, look: &mut Look<'_>) -> Result<(), Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).unwrap_or("=");
        let text = text.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match text.split_once('=') {
            Some((name, _)) if name.contains(char::is_whitespace) => {
                look("".into(), Err(Mistake::Blank(number + 1)));
            }
            Some((name, value)) if !name.is_empty() => look(name.into(), Ok(value.into())),
            _ => look("".into(), Err(Mistake::Line(number + 1))),
        }
    }
    Ok(())
}

/// Characters that make a name unusable for programs.
fn no_name(letter: char) -> bool {
    letter == '=' || letter.is_whitespace() || letter.is_control()
}

fn mistake(name: &str, value: &str, settings: &Settings) -> Option<Mistake> {
    match () {
        () if name.is_empty() || name.contains(no_name) => Some(Mistake::Name),
        () if value.contains('\0') => Some(Mistake::Nul),
        () if name == runtime::SWITCH || name.starts_with(runtime::SETTING_PREFIX) => {
            Some(Mistake::Setting)
        }
        () if delivered::reserved(name) => Some(Mistake::Reserved),
        () if is_protected(name, &settings.allowed_variables) => Some(Mistake::Protected),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Mistake, Mistakes, TooManyFault, VariablesFault};
    use crate::contract::limits;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        let path = || "/etc/lyftlearn/config/environment.json".to_owned();
        let mut mistakes = Mistakes::default();
        for mistake in [
            Mistake::Name,
            Mistake::Text,
            Mistake::Nul,
            Mistake::Protected,
            Mistake::Reserved,
            Mistake::Setting,
            Mistake::Line(2),
            Mistake::Blank(3),
        ] {
            mistakes.add("NAME", mistake);
        }
        mistakes.add("a b", Mistake::Name);
        expect![[r#"
            Settings: cannot use the variables of /etc/lyftlearn/config/environment.json
              NAME: not a valid variable name
              NAME: expected a string, a number or a boolean
              NAME: its value has a NUL byte
              NAME: protected; to set it on purpose, name it in the setting environment.allow
              NAME: reserved: this runtime sets it
              NAME: a setting; put it into runtime.toml
              line 2: expected NAME=VALUE
              line 3: white space in the name; write NAME=VALUE, without export and without spaces around the =
              "a b": not a valid variable name
        "#]].assert_eq(&reports([VariablesFault {
            path: path(),
            mistakes,
        }]));
        expect![[r#"
            Settings: cannot use the variables of /etc/lyftlearn/config/environment.json: together they are over 6291456 bytes, the limit of Linux
              hint: deliver large values as a file
        "#]].assert_eq(&reports([TooManyFault { path: path() }]));
    }

    #[test]
    fn mistakes_without_end_are_counted() {
        let mut mistakes = Mistakes::default();
        for _ in 0..limits::MISTAKES + 3 {
            mistakes.add("NAME", Mistake::Nul);
        }
        let path = "/etc/lyftlearn/config/environment.json".to_owned();
        let report = reports([VariablesFault { path, mistakes }]);
        let last = report.lines().last().unwrap_or_default();
        expect!["  and 3 more"].assert_eq(last);
    }
}
