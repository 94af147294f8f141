//! The settings of which program runs, and what it finds.

use crate::choice::choice;
use crate::contract::sagemaker;
#[cfg(feature = "cli")]
use crate::layers::File;
use crate::layers::{BOOLEAN, Form, Key, ON_OFF, PATH, Reader, Unset, WORDS, boolean, command};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "commands.train",
        form: WORDS,
        default: Unset::Text("the executable `train` on PATH"),
    },
    Key {
        name: "commands.serve",
        form: WORDS,
        default: Unset::Text("the executable `serve` on PATH"),
    },
    Key {
        name: "commands.default",
        form: WORDS,
        default: Unset::Text("none: a start without arguments is an error"),
    },
    Key {
        name: "commands.hyperparameters_as_args",
        form: BOOLEAN,
        default: Unset::Value("false"),
    },
    Key {
        name: "toolkit.variables",
        form: ON_OFF,
        default: Unset::Value("on"),
    },
    Key {
        name: "toolkit.num_cpus",
        form: Form::choice::<NumCpus>(),
        default: Unset::Value("cgroup"),
    },
    Key {
        name: "paths.base",
        form: PATH,
        default: Unset::Value(sagemaker::BASE_DIR),
    },
    Key {
        name: "paths.model",
        form: PATH,
        default: Unset::Text("`model` below `paths.base`; /mnt/models on KServe"),
    },
];

/// Other names that a file may use: a command can be a list, or a table with the list in it,
/// and a switch can be in the table of the command that it is for.
pub(super) const SPELLINGS: &[(&str, &str)] = &[
    ("commands.train.command", "commands.train"),
    ("commands.serve.command", "commands.serve"),
    ("commands.default.command", "commands.default"),
    (
        "commands.train.hyperparameters_as_args",
        "commands.hyperparameters_as_args",
    ),
];

/// The image's own commands for the platforms' words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Commands {
    pub(crate) train: Option<Vec<String>>,
    pub(crate) serve: Option<Vec<String>>,
    pub(crate) default: Option<Vec<String>>,
    /// Whether what `train` runs gets the hyperparameters as arguments.
    pub(crate) hyperparameters_as_args: bool,
}

impl Commands {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            train: from.optional("commands.train", command),
            serve: from.optional("commands.serve", command),
            default: from.optional("commands.default", command),
            hyperparameters_as_args: from.value("commands.hyperparameters_as_args", boolean),
        }
    }
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

/// Which processors `SM_NUM_CPUS` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumCpus {
    Cgroup,
    Node,
}

choice!(NumCpus {
    Self::Cgroup => "cgroup",
    Self::Node => "node",
});
