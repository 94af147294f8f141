//! The rows.

use super::{Argument, Command, Example, ExitCode, Flag, Value};

/// `lyftlearn-runtime` itself; its subcommands are in the order in which help shows them.
pub static COMMANDS: Command = Command {
    name: "lyftlearn-runtime",
    summary: "Gives an ML program one environment on SageMaker, on Kubernetes and elsewhere",
    details: &[
        "It detects the platform, and delivers variables, files, credentials, secrets and metrics in one form. As PID 1 it starts the program, forwards signals, and stops everything in time.",
        "LYFTLEARN_RUNTIME=off makes run and exec start the program and do nothing else.",
    ],
    usage: &["[OPTIONS] COMMAND"],
    arguments: &[],
    options: &[Flag {
        name: "--version",
        value: None,
        meaning: "Print the version. The short form is -V",
        default: None,
    }],
    examples: &[
        Example {
            purpose: "In a Dockerfile",
            command: "ENTRYPOINT [\"lyftlearn-runtime\", \"run\", \"--\"]",
        },
        Example {
            purpose: "What the runtime makes of a container",
            command: "docker run IMAGE bash -c 'lyftlearn-runtime inspect'",
        },
    ],
    exit_codes: &[
        OK,
        ExitCode {
            code: "2",
            meaning: "No command was given, or the command line is wrong",
        },
    ],
    subcommands: &[
        RUN,
        EXEC,
        INSPECT,
        ENV,
        EXPLAIN,
        SNAPSHOT,
        DIFF,
        DOCTOR,
        CREDENTIALS,
        METRICS,
        SPARK,
        HELP,
    ],
};

const OK: ExitCode = ExitCode {
    code: "0",
    meaning: "Success",
};

const FAILED: ExitCode = ExitCode {
    code: "2",
    meaning: "The command line is wrong, or the command failed; the report is on stderr",
};

const ROOT: Flag = Flag {
    name: "--root",
    value: Some(("DIR", Value::Directory)),
    meaning: "Read the platform's files below this directory, as if it were /",
    default: Some("/"),
};

const JSON: Flag = Flag {
    name: "--json",
    value: None,
    meaning: "Print JSON for programs instead of text for people",
    default: None,
};

/// For commands that show what a start of this program would do.
const LOOKED_AT: Argument = Argument {
    name: "PROGRAM [ARG]...",
    meaning: "The command that run would start. The role can depend on it: train, serve",
    value: Value::Text,
    program: true,
};

const OF_A_PROGRAM: &[ExitCode] = &[
    ExitCode {
        code: "the program's",
        meaning: "The program ended by itself",
    },
    ExitCode {
        code: "128+n",
        meaning: "Signal n ended the program, or stopped the start",
    },
    ExitCode {
        code: "127",
        meaning: "The program or its interpreter does not exist, or nothing is configured for train or serve",
    },
    ExitCode {
        code: "126",
        meaning: "The program exists and cannot be executed",
    },
    ExitCode {
        code: "125",
        meaning: "lyftlearn-runtime failed, or its command line is wrong; the report is on stderr",
    },
];

const RUN: Command = Command {
    name: "run",
    summary: "Start a program as the container's PID 1",
    details: &[
        "Delivers variables and files, starts PROGRAM, forwards signals to it, reaps orphans, and ends with the program's exit code.",
        "train and serve run what [commands] in runtime.toml says, or else the executable of that name on PATH. Without PROGRAM, commands.default runs.",
        "Options after PROGRAM or after -- are the program's: run -- prog --help starts prog with --help.",
    ],
    usage: &["[OPTIONS] [--] [PROGRAM [ARG]...]"],
    arguments: &[Argument {
        name: "PROGRAM [ARG]...",
        meaning: "What to start, with its arguments unchanged",
        value: Value::Text,
        program: true,
    }],
    options: &[Flag {
        name: "--signal-scope",
        value: Some(("SCOPE", Value::OneOf(&["auto", "group", "child"]))),
        meaning: "Forward signals to the program's process group, or to the program alone",
        default: Some("auto, or the setting lifecycle.signal_scope"),
    }],
    examples: &[
        Example {
            purpose: "In a Dockerfile",
            command: "ENTRYPOINT [\"lyftlearn-runtime\", \"run\", \"--\"]",
        },
        Example {
            purpose: "By hand",
            command: "lyftlearn-runtime run -- python3 train.py --epochs 3",
        },
    ],
    exit_codes: OF_A_PROGRAM,
    subcommands: &[],
};

const EXEC: Command = Command {
    name: "exec",
    summary: "Become a program with the same environment, in a container that runs already",
    details: &["For kubectl exec, notebooks and launchers. No process of the runtime stays."],
    usage: &["[--] PROGRAM [ARG]..."],
    arguments: &[Argument {
        name: "PROGRAM [ARG]...",
        meaning: "What to become, with its arguments unchanged",
        value: Value::Text,
        program: true,
    }],
    options: &[],
    examples: &[Example {
        purpose: "A Python prompt that sees what the program sees",
        command: "kubectl exec -it POD -- lyftlearn-runtime exec python3",
    }],
    exit_codes: OF_A_PROGRAM,
    subcommands: &[],
};

const INSPECT: Command = Command {
    name: "inspect",
    summary: "Show the platform, the workload and every problem",
    details: &["Shows what was detected and by what evidence. Starts and changes nothing."],
    usage: &["[OPTIONS] [--] [PROGRAM [ARG]...]"],
    arguments: &[LOOKED_AT],
    options: &[JSON, ROOT],
    examples: &[
        Example {
            purpose: "As a training job would see it",
            command: "lyftlearn-runtime inspect -- train",
        },
        Example {
            purpose: "The rank, for a script",
            command: "lyftlearn-runtime inspect --json | jq .topology.rank",
        },
    ],
    exit_codes: &[OK, FAILED],
    subcommands: &[],
};

const ENV: Command = Command {
    name: "env",
    summary: "Print the variables that a program would get",
    details: &[
        "Only variables that the runtime adds or changes. Secrets and tokens are left out, except with --with-secrets.",
    ],
    usage: &["[OPTIONS] [--] [PROGRAM [ARG]...]"],
    arguments: &[LOOKED_AT],
    options: &[
        Flag {
            name: "--format",
            value: Some(("FORMAT", Value::OneOf(&["export", "dotenv", "json", "nul"]))),
            meaning: "Shell commands, a .env file, a JSON object, or NAME=VALUE ended by NUL bytes",
            default: Some("export"),
        },
        Flag {
            name: "--with-secrets",
            value: None,
            meaning: "Fetch the secrets and print their values too",
            default: None,
        },
        ROOT,
    ],
    examples: &[Example {
        purpose: "Set the variables in this shell",
        command: "eval \"$(lyftlearn-runtime env)\"",
    }],
    exit_codes: &[OK, FAILED],
    subcommands: &[],
};

const EXPLAIN: Command = Command {
    name: "explain",
    summary: "Show which layer set each variable and setting, and what it overrides",
    details: &[
        "Values of secrets are shown as the start of their SHA-256.",
        "The layers are: default (built in), image (the image's ENV and /etc/lyftlearn/runtime.toml), config (files of the config directory), environment (variables of the container), runtime (set by lyftlearn-runtime) and secret.",
    ],
    usage: &["[OPTIONS] [NAME]..."],
    arguments: &[Argument {
        name: "NAME...",
        meaning: "Only these variables and settings",
        value: Value::Text,
        program: false,
    }],
    options: &[
        Flag {
            name: "--layer",
            value: Some((
                "LAYER",
                Value::OneOf(&[
                    "default",
                    "image",
                    "config",
                    "environment",
                    "runtime",
                    "secret",
                ]),
            )),
            meaning: "Only what this layer set",
            default: None,
        },
        Flag {
            name: "--changed",
            value: None,
            meaning: "Only settings that differ from their default, and variables that the container would not have without the runtime",
            default: None,
        },
        JSON,
        ROOT,
    ],
    examples: &[
        Example {
            purpose: "Where one value comes from",
            command: "lyftlearn-runtime explain OMP_NUM_THREADS",
        },
        Example {
            purpose: "What this deployment configures",
            command: "lyftlearn-runtime explain --layer config",
        },
    ],
    exit_codes: &[OK, FAILED],
    subcommands: &[],
};

const SNAPSHOT: Command = Command {
    name: "snapshot",
    summary: "Print what a program sees here, as canonical JSON",
    details: &["Names, hashes and versions, and no secret. Two snapshots are compared by diff."],
    usage: &["[OPTIONS] [--] [PROGRAM [ARG]...]"],
    arguments: &[LOOKED_AT],
    options: &[
        Flag {
            name: "--output",
            value: Some(("FILE", Value::File)),
            meaning: "Write to this file",
            default: Some("standard output"),
        },
        ROOT,
    ],
    examples: &[Example {
        purpose: "On each platform, to compare them later",
        command: "lyftlearn-runtime snapshot --output /tmp/here.json",
    }],
    exit_codes: &[OK, FAILED],
    subcommands: &[],
};

const DIFF: Command = Command {
    name: "diff",
    summary: "Show what differs between two snapshots",
    details: &[
        "A difference is undeclared, declared, or one that the platforms always have. Only undeclared ones fail the command.",
    ],
    usage: &["[OPTIONS] A B"],
    arguments: &[
        Argument {
            name: "A",
            meaning: "A file that snapshot wrote",
            value: Value::File,
            program: false,
        },
        Argument {
            name: "B",
            meaning: "Another one",
            value: Value::File,
            program: false,
        },
    ],
    options: &[
        Flag {
            name: "--format",
            value: Some(("FORMAT", Value::OneOf(&["text", "json", "html"]))),
            meaning: "Text for people, JSON for programs, or a page for a browser",
            default: Some("text"),
        },
        Flag {
            name: "--declared",
            value: Some(("FILE", Value::File)),
            meaning: "The differences that are intended: one path a line, * for any characters",
            default: Some("/etc/lyftlearn/declared-differences"),
        },
    ],
    examples: &[Example {
        purpose: "As a page to look at",
        command: "lyftlearn-runtime diff --format html sagemaker.json kubernetes.json > diff.html",
    }],
    exit_codes: &[
        ExitCode {
            code: "0",
            meaning: "No undeclared difference",
        },
        ExitCode {
            code: "1",
            meaning: "At least one undeclared difference",
        },
        FAILED,
    ],
    subcommands: &[],
};

const DOCTOR: Command = Command {
    name: "doctor",
    summary: "Test what a program will need, with a fix for each failure",
    details: &["The checks run at the same time. The command takes at most 15 seconds."],
    usage: &["[OPTIONS] [--] [PROGRAM [ARG]...]"],
    arguments: &[LOOKED_AT],
    options: &[
        Flag {
            name: "--only",
            value: Some((
                "CHECK[,CHECK]...",
                Value::SomeOf(&[
                    "detection",
                    "paths",
                    "limits",
                    "peers",
                    "identity",
                    "secrets",
                    "metrics",
                    "events",
                    "region",
                    "spark",
                ]),
            )),
            meaning: "Run these checks and no others",
            default: Some("all checks"),
        },
        JSON,
        ROOT,
    ],
    examples: &[Example {
        purpose: "Only what waits on a network",
        command: "lyftlearn-runtime doctor --only identity,secrets,peers",
    }],
    exit_codes: &[
        ExitCode {
            code: "0",
            meaning: "No check failed",
        },
        ExitCode {
            code: "1",
            meaning: "At least one check failed",
        },
        FAILED,
    ],
    subcommands: &[],
};

const CREDENTIALS: Command = Command {
    name: "credentials",
    summary: "Print the platform's credentials, as credential_process of AWS SDKs expects them",
    details: &["The output contains the secret key."],
    usage: &[""],
    arguments: &[],
    options: &[],
    examples: &[Example {
        purpose: "In a profile of ~/.aws/config",
        command: "credential_process = lyftlearn-runtime credentials",
    }],
    exit_codes: &[OK, FAILED],
    subcommands: &[],
};

const METRICS: Command = Command {
    name: "metrics",
    summary: "Print the current metrics in Prometheus' text format",
    details: &["Runs next to lyftlearn-runtime run, in the same container."],
    usage: &[""],
    arguments: &[],
    options: &[],
    examples: &[Example {
        purpose: "In a pod that runs",
        command: "kubectl exec POD -- lyftlearn-runtime metrics",
    }],
    exit_codes: &[OK, FAILED],
    subcommands: &[],
};

const SPARK: Command = Command {
    name: "spark",
    summary: "Test the network between a Spark driver in this container and its executors",
    details: &["Neither command needs Spark or Java."],
    usage: &["COMMAND"],
    arguments: &[],
    options: &[],
    examples: &[],
    exit_codes: &[OK, FAILED],
    subcommands: &[
        Command {
            name: "listen",
            summary: "Listen on the driver's ports and wait for connections",
            details: &[
                "Prints the command to run where the executors are, and ends when each port was reached.",
            ],
            usage: &["[SECONDS]"],
            arguments: &[Argument {
                name: "SECONDS",
                meaning: "How long to wait, 1 to 3600; 60 if left out",
                value: Value::Text,
                program: false,
            }],
            options: &[],
            examples: &[Example {
                purpose: "For two minutes",
                command: "lyftlearn-runtime spark listen 120",
            }],
            exit_codes: &[
                ExitCode {
                    code: "0",
                    meaning: "Each port was reached",
                },
                ExitCode {
                    code: "1",
                    meaning: "At least one port was not reached in time",
                },
                FAILED,
            ],
            subcommands: &[],
        },
        Command {
            name: "reach",
            summary: "Connect to a driver's ports, from where the executors run",
            details: &["Tries all ports at the same time, for 3 seconds."],
            usage: &["ADDRESS:PORTS"],
            arguments: &[Argument {
                name: "ADDRESS:PORTS",
                meaning: "The driver's address and a port or a range of ports, such as 10.77.1.2:20000-20031",
                value: Value::Text,
                program: false,
            }],
            options: &[],
            examples: &[Example {
                purpose: "From a pod in the executors' cluster",
                command: "kubectl run --rm -i --image IMAGE --restart Never reach -- lyftlearn-runtime spark reach 10.77.1.2:20000-20031",
            }],
            exit_codes: &[
                ExitCode {
                    code: "0",
                    meaning: "Each port was reached",
                },
                ExitCode {
                    code: "1",
                    meaning: "At least one port was not reached; the output says what to do",
                },
                FAILED,
            ],
            subcommands: &[],
        },
    ],
};

const HELP: Command = Command {
    name: "help",
    summary: "Show the help of a command",
    details: &[],
    usage: &["[COMMAND]..."],
    arguments: &[Argument {
        name: "COMMAND...",
        meaning: "The command, and its subcommand if it has some",
        value: Value::Text,
        program: false,
    }],
    options: &[],
    examples: &[Example {
        purpose: "The same as spark listen --help",
        command: "lyftlearn-runtime help spark listen",
    }],
    exit_codes: &[OK, FAILED],
    subcommands: &[],
};
