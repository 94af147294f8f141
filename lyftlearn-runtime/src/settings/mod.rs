//! Our own knobs, layered through figment: every value with its source, every
//! mistake in one report, no value ever in an error's text.
//!
//! Low to high: built-in, the image's `runtime.toml`, the config directory's
//! `runtime.toml`, `LYFTLEARN_RUNTIME_*`, the command line.

mod fault;
#[cfg(test)]
mod fuzz;
mod identity;
mod keys;
mod metrics;
mod protected;
pub(crate) mod secrets;
mod service_links;
mod statsd;
mod values;

use std::collections::BTreeMap;

use figment::value::{Dict, Value};
use figment::{Figment, Metadata, Profile, Provider};

use fault::Mistake;
pub(crate) use fault::SettingsFault;
pub(crate) use identity::{AssumeRole, Identity};
pub use keys::{KEYS, Key};
pub(crate) use metrics::{EmfTo, Listen, Metrics, otlp_endpoint};
pub(crate) use protected::is_protected;
#[cfg(feature = "cli")]
pub(crate) use service_links::Services;
pub(crate) use statsd::Intercept;
pub(crate) use statsd::Statsd;

use crate::contract::{limits, runtime};
use crate::error::Error;

/// A settings file: its path, for reports, and what it holds.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// The settings as they apply here.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) platform: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) log: Option<String>,
    pub(crate) config_dir: Option<String>,
    pub(crate) job_name: Option<String>,
    pub(crate) commands: Commands,
    pub(crate) base_dir: Option<String>,
    pub(crate) model_dir: Option<String>,
    pub(crate) grace_seconds: Option<u32>,
    pub(crate) signal_scope: Option<String>,
    /// The signals by which the platform asks for a stop.
    pub(crate) stop_on: Option<Vec<String>>,
    /// As which the program receives a stop; a signal's name.
    pub(crate) stop_signal: Option<String>,
    pub(crate) drain_seconds: Option<u32>,
    /// How long processes that outlive the program have after SIGTERM.
    pub(crate) orphan_seconds: Option<u32>,
    /// Exit codes of the program, each with the one to leave with instead.
    pub(crate) exit_remap: Vec<(u8, u8)>,
    /// `UID`, `NAME`, `UID:GID` and so on, as `docker run --user` takes it.
    pub(crate) user: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) identity: Identity,
    pub(crate) hyperparameter_encoding: Option<String>,
    /// Where a downwardAPI volume is mounted.
    pub(crate) podinfo_dir: Option<String>,
    /// Protected names that a document may set all the same.
    pub(crate) allowed_variables: Vec<String>,
    /// Directories of live configuration, lowest first.
    pub(crate) live_dirs: Option<Vec<String>>,
    pub(crate) skew_guard: Option<String>,
    /// What all processes count in; 0 is nothing.
    pub(crate) region_bytes: Option<u64>,
    pub(crate) statsd: Statsd,
    pub(crate) metrics: Metrics,
    pub(crate) python_exceptions: Option<String>,
    /// Variables whose values are secrets.
    pub(crate) redact: Vec<String>,
    /// `off`: no `SM_*`.
    pub(crate) toolkit_variables: Option<String>,
    /// Whose processors `SM_NUM_CPUS` counts.
    pub(crate) num_cpus: Option<String>,
    /// What the program has to know and nobody else.
    pub(crate) secrets: Vec<secrets::Declared>,
    /// How long a start may wait for them, in seconds.
    pub(crate) secrets_deadline: Option<u32>,
    pub(crate) confidant: secrets::Confidant,
    /// Which layer set each key that is set.
    pub(crate) sources: BTreeMap<&'static str, String>,
    /// Every value of every layer, low to high.
    pub(crate) layers: Vec<Layer>,
    /// Variables with our prefix that Kubernetes made for a Service, and that are ignored.
    pub(crate) service_links: Vec<String>,
}

/// One layer's word on one setting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    pub(crate) key: String,
    /// `key in file`, `$VARIABLE`, or an option.
    pub(crate) source: String,
    /// As JSON; a text is itself.
    pub(crate) value: String,
}

/// The image's own commands for the platforms' words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Commands {
    pub(crate) train: Option<Vec<String>>,
    pub(crate) serve: Option<Vec<String>>,
    pub(crate) default: Option<Vec<String>>,
    /// Whether what `train` runs gets the hyperparameters as arguments.
    pub(crate) hyperparameters_as_args: bool,
}

/// The `[commands]` of one file, and nothing else of it; what cannot be understood is
/// not there.
#[cfg(feature = "cli")]
pub(crate) fn commands_of(file: &File) -> Commands {
    let text = std::str::from_utf8(&file.bytes).unwrap_or_default();
    let table = text.parse::<toml::Table>().unwrap_or_default();
    let words = |name: &str| -> Option<Vec<String>> {
        let command = table.get("commands")?.get(name)?;
        let command = command.get("command").unwrap_or(command);
        let words: Vec<String> = command.clone().try_into().ok()?;
        Some(words).filter(|words| !words.is_empty())
    };
    Commands {
        train: words("train"),
        serve: words("serve"),
        default: words("default"),
        // They are in files that are not read.
        hyperparameters_as_args: false,
    }
}

/// Whether the kill switch says `off`. Read apart from all settings: it must work
/// when they are what is broken.
pub(crate) fn switched_off(value: Option<&str>) -> Result<bool, Error> {
    match value {
        None | Some("on") => Ok(false),
        Some("off") => Ok(true),
        Some(_) => Err(SettingsFault::one(
            format!("${}", runtime::SWITCH),
            Mistake::Expected("on or off"),
        )
        .into()),
    }
}

impl Settings {
    /// Whether exceptions that nobody catches are to be noted.
    #[cfg(feature = "cli")]
    pub(crate) fn notes_exceptions(&self) -> bool {
        self.python_exceptions.as_deref() != Some("off")
    }

    /// Whether a variable of this name holds a secret, as far as settings tell.
    #[cfg(feature = "cli")]
    pub(crate) fn holds_secret(&self, name: &str) -> bool {
        let prefixes = self
            .secrets
            .iter()
            .filter_map(|secret| secret.prefix.as_deref());
        self.redact.iter().any(|known| known == name)
            || prefixes
                .filter(|prefix| !prefix.is_empty())
                .any(|prefix| name.starts_with(&prefix.to_uppercase()))
    }

    /// The report on a span that is as long as the whole grace.
    pub(crate) fn leaves_no_time(&self, key: &str) -> SettingsFault {
        let shown = self.sources.get(key).map_or(key, String::as_str);
        SettingsFault::one(shown.to_owned(), Mistake::NoTime)
    }

    /// Refuses keys that the file at `path` may not set: they decide where it lies.
    pub(crate) fn refuse(&self, keys: &[&str], path: &str) -> Result<(), Error> {
        let found = keys.iter().find(|key| {
            self.sources
                .get(**key)
                .is_some_and(|source| *source == format!("{key} in {path}"))
        });
        match found {
            Some(key) => Err(SettingsFault::decides_its_own_place(key, path).into()),
            None => Ok(()),
        }
    }
}

/// Reads every layer and reports every mistake at once.
pub(crate) fn read<'a>(
    files: &[File],
    variables: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    arguments: &[(&'static str, String)],
) -> Result<Settings, Error> {
    let mut reader = Reader::default();
    for file in files {
        reader.file(file);
    }
    for (name, value) in variables {
        match value {
            Some(value) => reader.variable(name, value),
            None if name.starts_with(runtime::SETTING_PREFIX) => {
                reader
                    .mistakes
                    .push((format!("${name}"), Mistake::Expected("UTF-8")));
            }
            None => {}
        }
    }
    for (key, value) in arguments {
        reader.layer(
            format!(
                "--{}",
                key.rsplit('.').next().unwrap_or(key).replace('_', "-")
            ),
            key,
            value.as_str().into(),
        );
    }
    reader.finish()
}

struct Reader {
    figment: Figment,
    /// All layers of it as one, once they are read: it merges them anew at each question.
    merged: Value,
    mistakes: Vec<(String, Mistake)>,
    service_links: Vec<String>,
    layers: Vec<Layer>,
    secrets: secrets::Words,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            figment: Figment::new(),
            merged: Value::from(Dict::new()),
            mistakes: Vec::new(),
            service_links: Vec::new(),
            layers: Vec::new(),
            secrets: secrets::Words::default(),
        }
    }
}

impl Reader {
    fn file(&mut self, file: &File) {
        let text = match std::str::from_utf8(&file.bytes) {
            Ok(text) => text,
            Err(err) => {
                let (line, column) = place(&file.bytes, err.valid_up_to());
                let why = "it is not UTF-8".to_owned();
                let mistake = Mistake::NotToml { line, column, why };
                self.mistakes.push((file.path.clone(), mistake));
                return;
            }
        };
        let mut table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(err) => {
                // The error itself quotes the line; its message is one of the parser's own.
                let (line, column) = place(&file.bytes, err.span().map_or(0, |span| span.start));
                let why = err.message().lines().next().unwrap_or_default();
                // An unquoted text could have been anything; that much is said already.
                let why = why.trim_end_matches(", expected literal string").to_owned();
                let mistake = Mistake::NotToml { line, column, why };
                self.mistakes.push((file.path.clone(), mistake));
                return;
            }
        };
        if let Some(toml::Value::Table(secrets)) = table.get_mut("secrets") {
            self.secrets(secrets, &format!(" in {}", file.path));
        }
        for (key, value) in leaves(&table) {
            let shown = format!("{key} in {}", file.path);
            match keys::spelled(&key) {
                Some(known) => match Value::serialize(value) {
                    Ok(value) => self.layer(shown, known.name, keys::canonical(value)),
                    Err(_) => self
                        .mistakes
                        .push((shown, Mistake::Expected("another kind of value"))),
                },
                None => self.unknown(shown, &key, ToOwned::to_owned),
            }
        }
    }

    fn variable(&mut self, name: &str, value: &str) {
        let Some(suffix) = name.strip_prefix(runtime::SETTING_PREFIX) else {
            return;
        };
        if service_links::made(suffix, value) {
            self.service_links.push(name.to_owned());
            return;
        }
        match KEYS.iter().find(|key| key.is_spelled(suffix)) {
            Some(_) if value.is_empty() => {}
            Some(key) if key.name == "secrets" => self.secrets_variable(name, value),
            Some(key) => self.layer(format!("${name}"), key.name, value.into()),
            None => self.unknown(format!("${name}"), &suffix.to_lowercase(), |near| {
                format!(
                    "${}",
                    keys::find(near).map_or_else(String::new, Key::variable)
                )
            }),
        }
    }

    fn unknown(&mut self, shown: String, key: &str, spell: impl Fn(&str) -> String) {
        // Of so many the report names no more.
        let few = self.mistakes.len() < limits::MISTAKES;
        let nearest = if few { keys::nearest(key) } else { None };
        let nearest = nearest.map(spell);
        self.mistakes
            .push((shown, Mistake::NotASetting { nearest }));
    }

    fn layer(&mut self, name: String, key: &'static str, value: Value) {
        let text = match &value {
            Value::String(_, text) => text.clone(),
            other => serde_json::to_string(other).unwrap_or_default(),
        };
        self.layers.push(Layer {
            key: key.to_owned(),
            source: name.clone(),
            value: text,
        });
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Named { name, key, value });
    }

    fn finish(mut self) -> Result<Settings, Error> {
        let mut layers = self.figment.data().unwrap_or_default();
        let layers = layers.remove(&Profile::Default).unwrap_or_default();
        self.merged = Value::from(layers);
        let allowed_variables = self.words("environment.allow").unwrap_or_default();
        let secrets = std::mem::take(&mut self.secrets);
        let secrets = secrets.finish(&allowed_variables, &mut self.mistakes);
        if (self.value("secrets")).is_some_and(|value| value.as_dict().is_none()) {
            self.wrong("secrets", "tables, such as [secrets.db]");
        }
        let mut settings = Settings {
            platform: self.choice("platform"),
            role: self.choice("role"),
            log: self.choice("log"),
            config_dir: self.path("config_dir"),
            job_name: self.text("job.name"),
            commands: Commands {
                train: self.command("commands.train"),
                serve: self.command("commands.serve"),
                default: self.command("commands.default"),
                hyperparameters_as_args: self
                    .truth("commands.hyperparameters_as_args")
                    .unwrap_or(false),
            },
            base_dir: self.path("paths.base"),
            model_dir: self.path("paths.model"),
            grace_seconds: self.seconds("lifecycle.grace_seconds"),
            signal_scope: self.choice("lifecycle.signal_scope"),
            stop_on: self.signals("lifecycle.stop_on"),
            stop_signal: self.signal("lifecycle.stop_signal"),
            drain_seconds: self.seconds("lifecycle.drain_seconds"),
            orphan_seconds: self.seconds("lifecycle.orphan_seconds"),
            exit_remap: self.exit_remap("lifecycle.exit_remap"),
            user: self.text("user"),
            agent: self.choice("agent"),
            identity: self.identity(),
            hyperparameter_encoding: self.choice("hyperparameters.encoding"),
            podinfo_dir: self.path("job.podinfo_dir"),
            allowed_variables,
            live_dirs: self.paths("live.dirs"),
            skew_guard: self.choice("skew.guard"),
            region_bytes: self.region_bytes("metrics.region_bytes"),
            statsd: self.statsd(),
            metrics: self.metrics(),
            python_exceptions: self.choice("outcome.python_exceptions"),
            toolkit_variables: self.choice("toolkit.variables"),
            num_cpus: self.choice("toolkit.num_cpus"),
            redact: self.words("outcome.redact").unwrap_or_default(),
            secrets,
            secrets_deadline: self.seconds("secrets.deadline"),
            confidant: self.confidant(),
            sources: BTreeMap::new(),
            layers: std::mem::take(&mut self.layers),
            service_links: std::mem::take(&mut self.service_links),
        };
        if !self.mistakes.is_empty() {
            return Err(SettingsFault::new(self.mistakes).into());
        }
        let secret = settings
            .secrets
            .iter()
            .flat_map(secrets::Declared::variables);
        settings.redact.extend(secret);
        for key in KEYS {
            if let Some(source) = self.source(key.name) {
                settings.sources.insert(key.name, source);
            }
        }
        Ok(settings)
    }
}

/// A provider under the name that reports show.
struct Named {
    name: String,
    key: &'static str,
    value: Value,
}

impl Provider for Named {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> figment::Result<figment::value::Map<Profile, Dict>> {
        let dict = figment::util::nest(self.key, self.value.clone())
            .into_dict()
            .expect("a nested key makes a dictionary");
        Ok(Profile::Default.collect(dict))
    }
}

/// The leaves of a table, by dotted key. A list is a leaf.
fn leaves(table: &toml::Table) -> Vec<(String, &toml::Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => found.extend(
                leaves(inner)
                    .into_iter()
                    .map(|(below, leaf)| (format!("{name}.{below}"), leaf)),
            ),
            leaf => found.push((name.clone(), leaf)),
        }
    }
    found
}

/// Line and column, from 1, of a byte in a text.
fn place(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
