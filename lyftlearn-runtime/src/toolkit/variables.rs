//! Every variable that the toolkit gives a script, in its order.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::arguments::user_args;
use super::hyperparameters::{Hyperparameters, LISTED, decoded, shown};
use super::python::{Dict, Text, Value, Writer};
use super::resources::{Resources, input_data_config, list};
use super::{Job, View};
use crate::contract::toolkit::property;
use crate::contract::{delivered, limits, toolkit as words};
use crate::problems::Problems;
use crate::workload::Role;

type Properties = BTreeMap<&'static str, Value>;

/// Why a variable is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    TooLong,
    /// A NUL byte, half a surrogate pair, or a name with `=` in it.
    NoVariable,
}

pub(crate) fn view(job: &Job<'_>) -> View {
    let hyperparameters = decoded(job);
    let mut problems = hyperparameters.problems.clone();
    let resources = Resources::of(job);
    let giant = hyperparameters.giant.clone();
    let rivals = hyperparameters.rivals.clone();
    let complete = giant.1 == 0;
    let complete_framework = !hyperparameters.giant_framework;
    let side = side(job, &resources, &hyperparameters.known, &mut problems);
    let properties = properties(job, resources, hyperparameters);
    let own = dict(&properties, property::HYPERPARAMETERS);
    let channels = dict(&properties, property::CHANNEL_INPUT_DIRS);

    let mut list = List::default();
    for (name, key) in words::VARIABLES {
        let whole = match *name {
            words::SM_HPS => complete,
            words::SM_FRAMEWORK_PARAMS => complete_framework,
            _ => true,
        };
        if whole {
            list.value(name, &properties[key]);
        } else {
            list.set(name, Err(Missing::TooLong));
        }
        // Where the toolkit has those that are no property.
        match *name {
            "SM_OUTPUT_DATA_DIR" => {
                let names = channels.sorted().into_iter();
                let names = names.map(|(name, _)| Value::Text(name.clone())).collect();
                list.value(words::SM_CHANNELS, &Value::List(names));
            }
            "SM_MODULE_DIR" => {
                let whole = complete && complete_framework;
                list.set_if(whole, words::SM_TRAINING_ENV, |limit| {
                    let mut writer = Writer::new(limit);
                    let keys: Vec<(Text, &Value)> = properties
                        .iter()
                        .map(|(key, value)| (Text::from(*key), value))
                        .collect();
                    let pairs = keys.iter().map(|(key, value)| (key, *value));
                    writer.object(pairs).ok().map(|()| writer.finish())
                });
                list.set_if(complete, words::SM_USER_ARGS, |limit| {
                    let mut writer = Writer::new(limit);
                    let written = writer.value(&user_args(own));
                    written.ok().map(|()| writer.finish())
                });
            }
            _ => {}
        }
    }
    if properties[property::TOPOLOGY].truth() {
        list.value(words::SM_TOPOLOGY, &properties[property::TOPOLOGY]);
    }
    for (name, path) in channels.iter() {
        list.named(words::SM_CHANNEL, name, path);
    }
    let mut rivals = rivals.into_iter().peekable();
    for (place, (name, value)) in own.iter().enumerate() {
        while let Some((_, name)) = rivals.next_if(|(before, _)| *before <= place) {
            list.rival(name);
        }
        list.named(words::SM_HP, name, value);
    }
    rivals.for_each(|(_, name)| list.rival(name));
    for (name, value) in side {
        list.value(name, &value);
    }
    list.view(&giant, problems)
}

/// Everything that `SM_TRAINING_ENV` shows.
fn properties(
    job: &Job<'_>,
    resources: Resources,
    hyperparameters: Hyperparameters<'_>,
) -> Properties {
    let Hyperparameters {
        own,
        framework,
        known,
        ..
    } = hyperparameters;
    let paths = &job.workload.paths;
    let below = |known: Option<&PathBuf>, name: &str| {
        let path = known.cloned().unwrap_or_else(|| job.base.join(name));
        path_value(&path)
    };
    let output = paths
        .output
        .clone()
        .unwrap_or_else(|| job.base.join("output"));

    let program = job.program.map(Value::text);
    let program = program.or_else(|| known.get(words::HP_PROGRAM).cloned());
    // The text `None` if there is no program.
    let module = program.as_ref().unwrap_or(&Value::None).str();
    let module = match module.as_str().and_then(|name| name.strip_suffix(".py")) {
        Some(name) => Value::text(name),
        None => Value::Text(module),
    };
    let module_dir = known.get(words::HP_SUBMIT_DIRECTORY).map_or_else(
        || path_value(&job.base.join("code")),
        |directory| Value::Text(directory.str()),
    );

    let distributed = framework
        .get(words::HP_DISTRIBUTION_GROUPS)
        .cloned()
        .unwrap_or_else(|| {
            let enabled = words::DISTRIBUTIONS
                .iter()
                .any(|name| framework.get(name).is_some_and(Value::truth));
            Value::List(
                enabled
                    .then(|| resources.group.clone())
                    .into_iter()
                    .collect(),
            )
        });
    let distribution_hosts = resources.distribution_hosts(&distributed);
    let master = distribution_hosts.first().or(resources.hosts.first());
    let master = master.cloned().unwrap_or(Value::None);
    let names: Vec<Value> = resources.groups().map(|(name, _)| name.clone()).collect();
    let by_name = resources.groups().filter_map(|(name, group)| match name {
        Value::Text(name) => Some((name.clone(), Value::Dict(group.clone()))),
        _ => None,
    });
    let by_name = Dict::from_pairs(by_name.collect());
    let group_hosts = resources
        .groups()
        .find(|(name, _)| **name == resources.group)
        .map(|(_, group)| list(group.get(words::HOSTS)).to_vec())
        .unwrap_or_default();
    let neurons = if resources.instance_type_text().contains(words::TRN2) {
        words::TRN2_CORES
    } else {
        job.neuron_cores
    };

    let input = input_data_config(job);
    let channels = input.iter().map(|(name, _)| {
        let known = name
            .as_str()
            .and_then(|name| job.workload.channels.get(name));
        let usual = || {
            let mut path = Text::from(job.base.join("input/data/").to_string_lossy());
            path.append(name);
            Value::Text(path)
        };
        let path = known.map_or_else(usual, |channel| path_value(&channel.path));
        (name.clone(), path)
    });
    let channels = Dict::from_pairs(channels.collect());
    let optional = |text: Option<&str>| text.map_or(Value::None, Value::text);
    let log_level = known.get(words::HP_LOG_LEVEL).cloned();

    BTreeMap::from([
        (property::IS_HETERO, Value::Bool(names.len() > 1)),
        (property::INSTANCE_GROUPS, Value::List(names)),
        (property::INSTANCE_GROUPS_DICT, Value::Dict(by_name)),
        (
            property::CURRENT_INSTANCE_GROUP_HOSTS,
            Value::List(group_hosts),
        ),
        (property::DISTRIBUTION_INSTANCE_GROUPS, distributed),
        (
            property::DISTRIBUTION_HOSTS,
            Value::List(distribution_hosts),
        ),
        (
            property::IS_MASTER,
            Value::Bool(master == resources.current_host),
        ),
        (property::MASTER_HOSTNAME, master),
        (property::HOSTS, Value::List(resources.hosts)),
        (property::CURRENT_HOST, resources.current_host),
        (property::CURRENT_INSTANCE_GROUP, resources.group),
        (property::CURRENT_INSTANCE_TYPE, resources.instance_type),
        (
            property::NETWORK_INTERFACE_NAME,
            resources.network_interface,
        ),
        (property::TOPOLOGY, resources.topology),
        (property::RESOURCE_CONFIG, Value::Dict(resources.config)),
        (property::CHANNEL_INPUT_DIRS, Value::Dict(channels)),
        (property::INPUT_DATA_CONFIG, Value::Dict(input)),
        (property::INPUT_DIR, below(paths.input.as_ref(), "input")),
        (property::INPUT_CONFIG_DIR, below(None, "input/config")),
        (property::MODEL_DIR, below(paths.model.as_ref(), "model")),
        (
            property::OUTPUT_DATA_DIR,
            below(paths.output_data.as_ref(), "output/data"),
        ),
        (
            property::OUTPUT_INTERMEDIATE_DIR,
            path_value(&output.join("intermediate")),
        ),
        (property::OUTPUT_DIR, path_value(&output)),
        (property::MODULE_DIR, module_dir),
        (property::MODULE_NAME, module),
        (property::USER_ENTRY_POINT, program.unwrap_or(Value::None)),
        (property::FRAMEWORK_MODULE, optional(job.training_module)),
        (
            property::JOB_NAME,
            optional(job.workload.job.name.as_deref()),
        ),
        (
            property::LOG_LEVEL,
            log_level.unwrap_or_else(|| Value::int(words::LOG_LEVEL)),
        ),
        (
            property::IS_MODELPARALLEL_ENABLED,
            job.model_parallel
                .map_or(Value::None, |text| Value::Bool(text != "{}")),
        ),
        (property::IS_SMDDPRUN_INSTALLED, Value::Bool(job.smddprun)),
        (
            property::IS_SMDDPMPRUN_INSTALLED,
            Value::Bool(job.smddpmprun),
        ),
        (property::NUM_CPUS, Value::int(job.cpus)),
        (property::NUM_GPUS, Value::int(job.workload.resources.gpus)),
        (property::NUM_NEURONS, Value::int(neurons)),
        (property::HYPERPARAMETERS, Value::Dict(own)),
        (
            property::ADDITIONAL_FRAMEWORK_PARAMETERS,
            Value::Dict(framework),
        ),
    ])
}

/// The variables that the toolkit sets besides `SM_*`. A server does not use them, and
/// `SAGEMAKER_REGION` with the argument `serve` would look like an endpoint.
fn side(
    job: &Job<'_>,
    resources: &Resources,
    known: &Dict,
    problems: &mut Problems,
) -> Vec<(&'static str, Value)> {
    if job.workload.role != Role::Training {
        return Vec::new();
    }
    let mut found = vec![(words::SIDE_CURRENT_HOST, resources.current_host.clone())];
    for (name, key, default) in [
        (words::SIDE_JOB_NAME, words::HP_JOB_NAME, None),
        (words::SIDE_REGION, words::HP_REGION, job.region),
    ] {
        match known.get(key) {
            Some(value @ Value::Text(_)) => found.push((name, value.clone())),
            Some(Value::None) | None => {
                found.extend(default.map(|text| (name, Value::text(text))));
            }
            Some(_) => problems.push(format!(
                "{name} is left out: the hyperparameter {key} is not a string"
            )),
        }
    }
    // Blank says as much as unset.
    found.retain(|(_, value)| value.truth());
    found
}

fn dict<'a>(properties: &'a Properties, key: &str) -> &'a Dict {
    match &properties[key] {
        Value::Dict(dict) => dict,
        _ => unreachable!("{key} is made as an object"),
    }
}

fn path_value(path: &Path) -> Value {
    Value::text(path.to_string_lossy())
}

/// Variables by name: the first place, the last value, as in a Python `dict`.
#[derive(Default)]
struct List {
    found: Vec<(String, Result<String, Missing>)>,
    places: HashMap<String, usize>,
}

impl List {
    fn set(&mut self, name: &str, value: Result<String, Missing>) {
        let value = value.and_then(|value| {
            if name.contains(['=', '\0']) || value.contains('\0') {
                Err(Missing::NoVariable)
            } else if value.len() > room(name) {
                Err(Missing::TooLong)
            } else {
                Ok(value)
            }
        });
        match self.places.get(name) {
            Some(place) => self.found[*place].1 = value,
            None => {
                self.places.insert(name.to_owned(), self.found.len());
                self.found.push((name.to_owned(), value));
            }
        }
    }

    fn set_if(&mut self, whole: bool, name: &str, write: impl Fn(usize) -> Option<String>) {
        let written = whole.then(|| write(room(name))).flatten();
        self.set(name, written.ok_or(Missing::TooLong));
    }

    /// One without room that comes after one with, and takes its name.
    fn rival(&mut self, name: &str) {
        let name = variable(name);
        if self.places.contains_key(&name) {
            self.set(&name, Err(Missing::TooLong));
        }
    }

    /// A text as it is, nothing for `None`, everything else as JSON.
    fn value(&mut self, name: &str, value: &Value) {
        let text = match value {
            Value::None => Ok(String::new()),
            Value::Text(text) => text.as_str().map(str::to_owned).ok_or(Missing::NoVariable),
            other => {
                let mut writer = Writer::new(room(name));
                let written = writer.value(other);
                written
                    .map(|()| writer.finish())
                    .map_err(|_| Missing::TooLong)
            }
        };
        self.set(name, text);
    }

    fn named(&mut self, prefix: &str, name: &Text, value: &Value) {
        match name.as_str() {
            Some(name) => self.value(&format!("{prefix}{}", name.to_uppercase()), value),
            None => self.set(prefix, Err(Missing::NoVariable)),
        }
    }

    fn view(self, giant: &(Vec<&str>, usize), mut problems: Problems) -> View {
        let giant_names = giant.0.iter();
        let giant_names: Vec<String> = giant_names.map(|name| variable(name)).collect();
        let missing = |why: Missing| {
            let names = self.found.iter();
            let names = names.filter(|(_, value)| *value == Err(why));
            let mut names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            let mut count = names.len();
            if why == Missing::TooLong {
                names.retain(|name| !giant_names.iter().any(|known| known == name));
                names.extend(giant_names.iter().map(String::as_str));
                count += giant.1;
            }
            (count > 0).then(|| listed(&names, count))
        };
        if let Some(names) = missing(Missing::TooLong) {
            problems.push(format!(
                "left out, because they are too long for variables: {names}; hyperparameters are in ${}",
                delivered::HYPERPARAMETERS_FILE
            ));
        }
        if let Some(names) = missing(Missing::NoVariable) {
            problems.push(format!(
                "left out, because a variable cannot have a NUL byte or half a surrogate pair, nor a '=' in its name: {names}"
            ));
        }
        let variables = self.found.into_iter();
        View {
            variables: variables
                .filter_map(|(name, value)| Some((name, value.ok()?)))
                .collect(),
            problems,
        }
    }
}

/// A hyperparameter's.
fn variable(name: &str) -> String {
    format!("{}{}", words::SM_HP, name.to_uppercase())
}

/// Room for a value, after its name, `=` and the NUL.
fn room(name: &str) -> usize {
    limits::ENVIRONMENT_STRING_BYTES.saturating_sub(name.len() + 2)
}

fn listed(names: &[&str], count: usize) -> String {
    let first: Vec<String> = names.iter().take(LISTED).map(|name| shown(name)).collect();
    match count.checked_sub(LISTED) {
        None | Some(0) => first.join(", "),
        Some(more) => format!("{} and {more} more", first.join(", ")),
    }
}
