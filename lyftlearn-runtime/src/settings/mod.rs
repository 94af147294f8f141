//! Our own settings: which there are, and what they come to here.
//!
//! Low to high: built-in, the image's `runtime.toml`, the config directory's
//! `runtime.toml`, `LYFTLEARN_RUNTIME_*`, the command line.

#[cfg(test)]
mod fuzz;
mod identity;
mod keys;
mod lifecycle;
mod protected;
pub(crate) mod secrets;

use std::collections::BTreeMap;

pub(crate) use identity::{AssumeRole, Identity};
pub use keys::KEYS;
pub(crate) use protected::is_protected;

use crate::contract::runtime;
use crate::error::Error;
use crate::layers::{
    File, Layer, Layers, Mistake, Reader, Register, SettingsFault, Stack, boolean, command, path,
    paths, seconds, signal, signals, text, words,
};
use crate::metrics::{self, clients, routes};

/// What reads the layers knows every setting from here.
static REGISTER: Register = Register {
    keys: KEYS,
    spellings: keys::SPELLINGS,
};

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
    /// Clients of StatsD.
    pub(crate) statsd: clients::Settings,
    /// Where metrics go.
    pub(crate) metrics: routes::Settings,
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
            Some(key) => {
                let why = "it decides where that file lies; \
                           set its variable or the image's runtime.toml instead";
                let shown = format!("{key} in {path}");
                Err(SettingsFault::one(shown, Mistake::NotHere(why)).into())
            }
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
    let mut stack = Stack::new(&REGISTER);
    let mut words = secrets::Words::default();
    for file in files {
        if let Some(mut table) = stack.parse(file) {
            words.take(&mut table, &file.path, &mut stack);
            stack.table(&table, &file.path);
        }
    }
    for (name, value) in variables {
        match value {
            Some(value) if name == secrets::VARIABLE && !value.is_empty() => {
                words.variable(value, &mut stack);
            }
            value => stack.variable(name, value),
        }
    }
    for (key, value) in arguments {
        stack.argument(key, value);
    }
    Settings::of(stack.merged(), words)
}

impl Settings {
    fn of(mut from: Reader, secret_words: secrets::Words) -> Result<Self, Error> {
        let allowed_variables = (from.optional("environment.allow", words)).unwrap_or_default();
        let secrets = secret_words.finish(&allowed_variables, &mut from.mistakes);
        from.optional("secrets", secrets::is_table);
        let mut settings = Self {
            platform: from.choice("platform"),
            role: from.choice("role"),
            log: from.choice("log"),
            config_dir: from.optional("config_dir", path),
            job_name: from.optional("job.name", text),
            commands: Commands {
                train: from.optional("commands.train", command),
                serve: from.optional("commands.serve", command),
                default: from.optional("commands.default", command),
                hyperparameters_as_args: from
                    .optional("commands.hyperparameters_as_args", boolean)
                    .unwrap_or(false),
            },
            base_dir: from.optional("paths.base", path),
            model_dir: from.optional("paths.model", path),
            grace_seconds: from.optional("lifecycle.grace_seconds", seconds),
            signal_scope: from.choice("lifecycle.signal_scope"),
            stop_on: from.optional("lifecycle.stop_on", signals),
            stop_signal: from.optional("lifecycle.stop_signal", signal),
            drain_seconds: from.optional("lifecycle.drain_seconds", seconds),
            orphan_seconds: from.optional("lifecycle.orphan_seconds", seconds),
            exit_remap: (from.optional("lifecycle.exit_remap", lifecycle::exit_remap))
                .unwrap_or_default(),
            user: from.optional("user", text),
            agent: from.choice("agent"),
            identity: Identity::read(&mut from),
            hyperparameter_encoding: from.choice("hyperparameters.encoding"),
            podinfo_dir: from.optional("job.podinfo_dir", path),
            allowed_variables,
            live_dirs: from.optional("live.dirs", paths),
            skew_guard: from.choice("skew.guard"),
            region_bytes: from.optional("metrics.region_bytes", metrics::settings::region_bytes),
            statsd: clients::Settings::read(&mut from),
            metrics: routes::Settings::read(&mut from),
            python_exceptions: from.choice("outcome.python_exceptions"),
            toolkit_variables: from.choice("toolkit.variables"),
            num_cpus: from.choice("toolkit.num_cpus"),
            redact: from.optional("outcome.redact", words).unwrap_or_default(),
            secrets,
            secrets_deadline: from.optional("secrets.deadline", seconds),
            confidant: secrets::Confidant::read(&mut from),
            sources: BTreeMap::new(),
            layers: Vec::new(),
            service_links: Vec::new(),
        };
        let Layers {
            sources,
            layers,
            service_links,
        } = from.finish()?;
        let secret = settings
            .secrets
            .iter()
            .flat_map(secrets::Declared::variables);
        settings.redact.extend(secret);
        Ok(Self {
            sources,
            layers,
            service_links,
            ..settings
        })
    }
}

#[cfg(test)]
mod tests;
