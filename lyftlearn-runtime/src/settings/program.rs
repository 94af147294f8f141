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
        doc: "Command that the argument `train` starts: the program and its arguments. In a \
              file, a table with the list as `command` works as well.",
        example: "[\"python3\", \"train.py\"]",
    },
    Key {
        name: "commands.serve",
        form: WORDS,
        default: Unset::Text("the executable `serve` on PATH"),
        doc: "Command that the argument `serve` starts: the program and its arguments. In a \
              file, a table with the list as `command` works as well.",
        example: "[\"python3\", \"serve.py\"]",
    },
    Key {
        name: "commands.default",
        form: WORDS,
        default: Unset::Text("none: a start without arguments is an error"),
        doc: "Command that a start without arguments runs: the program and its arguments. In \
              a file, a table with the list as `command` works as well.",
        example: "[\"python3\", \"main.py\"]",
    },
    Key {
        name: "commands.hyperparameters_as_args",
        form: BOOLEAN,
        default: Unset::Value("false"),
        doc: "Whether the command of `train` gets the hyperparameters as arguments, as \
              SageMaker's training toolkit passes them. They come before arguments that \
              follow `train`. A file may also set it in `[commands.train]`.",
        example: "true",
    },
    Key {
        name: "toolkit.variables",
        form: ON_OFF,
        default: Unset::Value("on"),
        doc: "Whether the program gets the `SM_*` variables of SageMaker's training toolkit. \
              Set `off` if its environment must not have them.",
        example: "\"off\"",
    },
    Key {
        name: "toolkit.num_cpus",
        form: Form::choice::<NumCpus>(),
        default: Unset::Value("cgroup"),
        doc: "Which CPUs `SM_NUM_CPUS` counts: those of the container's cgroup, or all of \
              the node. The toolkit itself counts those of the node.",
        example: "\"node\"",
    },
    Key {
        name: "paths.base",
        form: PATH,
        default: Unset::Value(sagemaker::BASE_DIR),
        doc: "Directory that holds the model, input, output, checkpoints and code. Set it if \
              the job's files are elsewhere.",
        example: "\"/data/job\"",
    },
    Key {
        name: "paths.model",
        form: PATH,
        default: Unset::Text("`model` below `paths.base`; /mnt/models on KServe"),
        doc: "Directory of the model. Set it if the model is not below `paths.base`.",
        example: "\"/mnt/models\"",
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

/// The `[commands]` of one file only; malformed entries are ignored.
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
