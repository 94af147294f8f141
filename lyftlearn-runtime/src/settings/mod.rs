//! The runtime's own settings: the register, and their values for this container.
//!
//! Low to high: built-in, the image's `runtime.toml`, the config directory's
//! `runtime.toml`, `LYFTLEARN_RUNTIME_*`, the command line.

mod credentials;
mod documents;
pub(crate) mod events;
#[cfg(test)]
mod fuzz;
mod general;
mod lifecycle;
mod outcome;
mod program;
mod protected;
pub(crate) mod secrets;
pub(crate) mod spark;
pub(crate) mod topology;

use std::collections::BTreeMap;

pub(crate) use credentials::{AssumeRole, Credentials};
pub(crate) use documents::{Encoding, SkewGuard};
pub(crate) use general::{Agent, Log};
pub(crate) use lifecycle::SignalScope;
#[cfg(feature = "cli")]
pub(crate) use program::commands_of;
pub(crate) use program::{Commands, NumCpus};
pub(crate) use protected::is_protected;
pub use secrets::FIELDS as SECRET_FIELDS;

#[cfg(feature = "cli")]
use crate::choice::Choice;
use crate::contract::runtime;
use crate::error::Error;
#[cfg(feature = "cli")]
use crate::layers::ON_OFF;
use crate::layers::{
    File, Key, Layer, Layers, Mistake, Mistakes, Reader, Register, SettingsFault, Stack, on_off,
    one_of, path, paths, seconds, signal, signals, text, words,
};
use crate::metrics::{self, clients, routes};
use crate::workload::{Platform, Role};

/// Every setting, by the sections that declare them. A row of one of these is a setting; there
/// is no other way to make one.
pub const KEYS: &[&[Key]] = &sections();

const BEFORE_METRICS: [&[Key]; 5] = [
    general::KEYS,
    program::KEYS,
    lifecycle::KEYS,
    credentials::KEYS,
    documents::KEYS,
];
const METRICS: &[&[Key]] = routes::SECTIONS;
const AFTER_METRICS: [&[Key]; 5] = [
    outcome::KEYS,
    events::KEYS,
    secrets::KEYS,
    spark::KEYS,
    topology::KEYS,
];

const SECTIONS: usize = BEFORE_METRICS.len() + METRICS.len() + AFTER_METRICS.len();

const fn sections() -> [&'static [Key]; SECTIONS] {
    let parts: [&[&'static [Key]]; 3] = [&BEFORE_METRICS, METRICS, &AFTER_METRICS];
    let mut all = [general::KEYS; SECTIONS];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let mut section = 0;
        while section < parts[part].len() {
            all[at] = parts[part][section];
            at += 1;
            section += 1;
        }
        part += 1;
    }
    all
}

/// By what the layers are read.
static REGISTER: Register = Register {
    keys: KEYS,
    spellings: &[program::SPELLINGS, clients::SPELLINGS],
};

/// The settings as they apply here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `None`: the one that is detected.
    pub(crate) platform: Option<Platform>,
    /// `None`: the one that is detected.
    pub(crate) role: Option<Role>,
    pub(crate) log: Log,
    /// `None`: where the platform has it.
    pub(crate) config_dir: Option<String>,
    /// `None`: the platform's.
    pub(crate) job_name: Option<String>,
    pub(crate) commands: Commands,
    pub(crate) base_dir: String,
    /// `None`: below `base_dir`, or where the platform has it.
    pub(crate) model_dir: Option<String>,
    /// `None`: as the platform has it.
    pub(crate) grace_seconds: Option<u32>,
    pub(crate) signal_scope: SignalScope,
    /// The signals by which the platform asks for a stop. `None`: as the platform has it.
    pub(crate) stop_on: Option<Vec<i32>>,
    /// The signal as which the program receives a stop.
    pub(crate) stop_signal: i32,
    pub(crate) drain_seconds: u32,
    /// How long processes that outlive the program have after SIGTERM.
    pub(crate) orphan_seconds: u32,
    /// How long HyperPod leaves workers before a new round, in seconds.
    pub(crate) resize_seconds: Option<u32>,
    /// Exit codes of the program, each with the one to leave with instead.
    pub(crate) exit_remap: Vec<(u8, u8)>,
    /// `UID`, `NAME`, `UID:GID` and so on, as `docker run --user` takes it. `None`: as started.
    pub(crate) user: Option<String>,
    pub(crate) agent: Agent,
    pub(crate) credentials: Credentials,
    pub(crate) encoding: Encoding,
    /// Where a downwardAPI volume is mounted.
    pub(crate) podinfo_dir: String,
    /// Protected names that a document may set all the same.
    pub(crate) allowed_variables: Vec<String>,
    /// Directories of live configuration, lowest first. `None`: where the platform has them.
    pub(crate) live_dirs: Option<Vec<String>>,
    pub(crate) skew_guard: SkewGuard,
    /// What all processes count in; 0 is nothing.
    pub(crate) region_bytes: u64,
    /// Clients of StatsD.
    pub(crate) statsd: clients::Settings,
    /// Where metrics go.
    pub(crate) metrics: routes::Settings,
    /// Whether uncaught exceptions are to be noted.
    pub(crate) python_exceptions: bool,
    /// Job state events.
    pub(crate) events: events::Settings,
    /// Variables whose values are secrets.
    pub(crate) redact: Vec<String>,
    /// Whether there are `SM_*`.
    pub(crate) toolkit_variables: bool,
    pub(crate) num_cpus: NumCpus,
    /// The declared secrets.
    pub(crate) secrets: Vec<secrets::Declared>,
    /// How long a start may wait for them, in seconds.
    pub(crate) secrets_deadline: u32,
    pub(crate) confidant: secrets::Confidant,
    /// A Spark driver's network.
    pub(crate) spark: spark::Settings,
    pub(crate) topology: topology::Topology,
    /// Which layer set each key that is set.
    pub(crate) sources: BTreeMap<&'static str, String>,
    /// Every value of every layer, low to high.
    pub(crate) layers: Vec<Layer>,
    /// Variables with our prefix that Kubernetes made for a Service, and that are ignored.
    pub(crate) service_links: Vec<String>,
}

/// Whether the kill switch is `off`. It is read separately, because it must work with broken
/// settings.
#[cfg(feature = "cli")]
pub(crate) fn switched_off(value: Option<&str>) -> Result<bool, Error> {
    let on = value.map_or(Some(true), bool::of);
    on.map(|on| !on).ok_or_else(|| {
        let shown = format!("${}", runtime::SWITCH);
        SettingsFault::one(shown, Mistake::Expected(ON_OFF.expected)).into()
    })
}

impl Settings {
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
        let why = "it decides where that file lies; \
                   set its variable or the image's runtime.toml instead";
        let shown = keys
            .iter()
            .map(|key| (*key, format!("{key} in {path}")))
            .filter(|(key, shown)| self.sources.get(key) == Some(shown));
        let mut mistakes = Mistakes::default();
        for (_, shown) in shown {
            mistakes.add(shown, Mistake::NotHere(why));
        }
        SettingsFault::of(mistakes).map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Refuses a config directory that is not there where the deployment names it: all its documents
    /// would be missing. An image may name one that only one of its platforms has.
    pub(crate) fn refuse_missing(&self, is_directory: bool, is_there: bool) -> Result<(), Error> {
        let Some(source) = self.sources.get("config_dir") else {
            return Ok(());
        };
        if is_directory || (!is_there && source.ends_with(runtime::IMAGE_SETTINGS)) {
            return Ok(());
        }
        let expected = Mistake::Expected("the path of a directory that is there");
        Err(SettingsFault::one(source.clone(), expected).into())
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
        let allowed_variables = from.value("environment.allow", words);
        let secrets = secret_words.finish(&allowed_variables, &mut from.mistakes);
        from.optional("secrets", secrets::is_table);
        let mut settings = Self {
            platform: from.optional("platform", one_of),
            role: from.optional("role", one_of),
            log: from.value("log", one_of),
            config_dir: from.optional("config_dir", path),
            job_name: from.optional("job.name", text),
            commands: Commands::read(&mut from),
            base_dir: from.value("paths.base", path),
            model_dir: from.optional("paths.model", path),
            grace_seconds: from.optional("lifecycle.grace_seconds", seconds),
            topology: topology::Topology {
                nodes: from.optional("topology.nodes", topology::nodes),
                master: from.optional("topology.master", text),
                wait_seconds: from.optional("topology.wait_seconds", seconds),
            },
            signal_scope: from.value("lifecycle.signal_scope", one_of),
            stop_on: from.optional("lifecycle.stop_on", signals),
            stop_signal: from.value("lifecycle.stop_signal", signal),
            drain_seconds: from.value("lifecycle.drain_seconds", seconds),
            orphan_seconds: from.value("lifecycle.orphan_seconds", seconds),
            resize_seconds: from.optional("lifecycle.resize_seconds", seconds),
            exit_remap: from.value("lifecycle.exit_remap", lifecycle::exit_remap),
            user: from.optional("user", text),
            agent: from.value("agent", one_of),
            credentials: Credentials::read(&mut from),
            encoding: from.value("hyperparameters.encoding", one_of),
            podinfo_dir: from.value("job.podinfo_dir", path),
            allowed_variables,
            live_dirs: from.optional("live.dirs", paths),
            skew_guard: from.value("skew.guard", one_of),
            region_bytes: from.value("metrics.region_bytes", metrics::settings::region_bytes),
            statsd: clients::Settings::read(&mut from),
            metrics: routes::Settings::read(&mut from),
            python_exceptions: from.value("outcome.python_exceptions", on_off),
            toolkit_variables: from.value("toolkit.variables", on_off),
            num_cpus: from.value("toolkit.num_cpus", one_of),
            events: events::Settings::read(&mut from),
            redact: from.value("outcome.redact", words),
            secrets,
            secrets_deadline: from.value("secrets.deadline", seconds),
            confidant: secrets::Confidant::read(&mut from),
            spark: spark::Settings::read(&mut from),
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

/// The defaults.
#[cfg(test)]
impl Default for Settings {
    fn default() -> Self {
        read(&[], std::iter::empty(), &[]).expect("no layer is wrong")
    }
}

#[cfg(test)]
mod tests;
