//! The command line: what can be asked for, and the variable of each option.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod manuals;
pub(crate) mod other;
pub(crate) mod pods;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "lyftlearn-conformance",
    version,
    about = "Checks that an image trains on SageMaker and serves on Kubernetes, and reports what to fix.",
    after_help = "exit codes: 0 every check of level must passed; 1 at least one did not; 2 the command line or image.toml is wrong;\n3 the image could not be checked; 130 and 143 interrupted"
)]
pub(crate) struct Line {
    /// What to do.
    #[command(subcommand)]
    pub(crate) what: What,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Checks an image
    Check(Box<Check>),
    /// Starts an image as one platform does, and leaves it running
    Run(Run),
    /// Shows every check: id, level, profile, what it needs
    List {
        /// The form of the list
        #[arg(long, value_enum, default_value_t = Form::Text, env = "LYFTLEARN_CONFORMANCE_FORMAT")]
        format: Form,
    },
    /// Explains why a check exists, how it is measured and how to fix a failure
    Explain {
        /// A check's id, such as image.user
        id: String,
    },
    /// Prints a commented image.toml, with values from an image
    Init {
        /// The image to take values from
        image: Option<String>,
        #[command(flatten)]
        with: With,
    },
    /// Converts the report of an earlier run to other formats, or compares two reports
    Report {
        /// The report: a file that check --json wrote
        file: PathBuf,
        /// An older report to compare with
        #[arg(long, value_name = "OLD.json", env = "LYFTLEARN_CONFORMANCE_COMPARE")]
        compare: Option<PathBuf>,
        #[command(flatten)]
        files: Files,
    },
    /// Prints completions for a shell
    Completions {
        /// bash, zsh, fish, …
        shell: clap_complete::Shell,
    },
    /// Writes man pages and completions of both programs into a directory, for packages
    #[command(hide = true)]
    Manuals {
        /// The directory in which man1 and completions are created
        directory: PathBuf,
    },
    /// Runs the example of this project's checkout: trains, serves and compares
    Demo(demo::Demo),
}

/// `check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A reference that the engine has or can pull, oci:DIR, oci-archive:FILE or docker-archive:FILE
    pub(crate) image: String,
    /// The image's image.toml: its roles, inputs, expectations and waivers
    #[arg(long, value_name = "FILE", env = "LYFTLEARN_CONFORMANCE_FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) with: With,
    /// The kubeconfig's context, with --engine kubernetes [default: the current context]
    #[arg(long, value_name = "NAME", env = "LYFTLEARN_CONFORMANCE_CONTEXT")]
    pub(crate) context: Option<String>,
    /// The cluster's namespace, with --engine kubernetes [default: the context's namespace]
    #[arg(long, value_name = "NAME", env = "LYFTLEARN_CONFORMANCE_NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Only checks of this profile (base, training, serving, restricted, lazy); may be repeated
    #[arg(long, value_name = "NAME", env = "LYFTLEARN_CONFORMANCE_PROFILE", value_parser = ["base", "training", "serving", "restricted", "lazy"])]
    pub(crate) profile: Vec<String>,
    /// Only checks whose id matches, such as 'image.*'; may be repeated
    #[arg(long, value_name = "PATTERN", env = "LYFTLEARN_CONFORMANCE_ONLY")]
    pub(crate) only: Vec<String>,
    /// Skip checks whose id matches; may be repeated
    #[arg(long, value_name = "PATTERN", env = "LYFTLEARN_CONFORMANCE_SKIP")]
    pub(crate) skip: Vec<String>,
    /// Fail the run also on failed checks of level should and on skipped checks
    #[arg(long, env = "LYFTLEARN_CONFORMANCE_STRICT", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) strict: bool,
    /// How many checks run at once
    #[arg(long, value_name = "N", default_value_t = 2, env = "LYFTLEARN_CONFORMANCE_JOBS", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) jobs: u8,
    /// Time limit of one start, training or wait, in seconds
    #[arg(long, value_name = "SECONDS", env = "LYFTLEARN_CONFORMANCE_TIMEOUT", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) timeout: Option<u32>,
    /// Format of the results on stdout
    #[arg(long, value_enum, default_value_t = Form::Text, env = "LYFTLEARN_CONFORMANCE_FORMAT")]
    pub(crate) format: Form,
    /// The file with GitHub's job summary
    #[arg(long, hide = true, value_name = "FILE", env = "GITHUB_STEP_SUMMARY")]
    pub(crate) step_summary: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) files: Files,
    /// Writes the report as JSON
    #[arg(long, value_name = "FILE", env = "LYFTLEARN_CONFORMANCE_JSON")]
    pub(crate) json: Option<PathBuf>,
    /// Converts the layout with soci, which must be on PATH, and checks the index of the result
    #[arg(long, env = "LYFTLEARN_CONFORMANCE_WITH_SOCI", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) with_soci: bool,
    /// Keeps containers and volumes, so that you can inspect them
    #[arg(long, env = "LYFTLEARN_CONFORMANCE_KEEP", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) keep: bool,
}

/// `run`
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// sagemaker-training, sagemaker-hosting, sagemaker-multi-container, sagemaker-transform, sagemaker-processing, sagemaker-local, sagemaker-isolated, kubernetes-pod, kubernetes-job, kubernetes-restricted or bare
    pub(crate) place: String,
    /// A reference that the engine has or can pull
    pub(crate) image: String,
    /// The image's image.toml: its roles, inputs, expectations and waivers
    #[arg(long, value_name = "FILE", env = "LYFTLEARN_CONFORMANCE_FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) with: With,
    /// Arguments of the container, instead of train or serve
    #[arg(last = true)]
    pub(crate) words: Vec<String>,
}

/// With what an image is looked at.
#[derive(Clone, Debug, Args)]
pub(crate) struct With {
    /// The container engine
    #[arg(long, value_enum, default_value_t = Which::Auto, env = "LYFTLEARN_CONFORMANCE_ENGINE")]
    pub(crate) engine: Which,
    /// Pulls nothing
    #[arg(long, env = "LYFTLEARN_CONFORMANCE_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) offline: bool,
    /// The platform of the image, if a layout or archive has several
    #[arg(long, value_name = "PLATFORM", env = "LYFTLEARN_CONFORMANCE_PLATFORM", value_parser = ["linux/amd64", "linux/arm64"])]
    pub(crate) platform: Option<String>,
}

/// Further files to write.
#[derive(Clone, Debug, Args)]
pub(crate) struct Files {
    /// Writes JUnit's XML
    #[arg(long, value_name = "FILE", env = "LYFTLEARN_CONFORMANCE_JUNIT")]
    pub(crate) junit: Option<PathBuf>,
    /// Writes an HTML page
    #[arg(long, value_name = "FILE", env = "LYFTLEARN_CONFORMANCE_HTML")]
    pub(crate) html: Option<PathBuf>,
    /// Writes a SARIF report for code scanning, with the findings about the image's files and configuration
    #[arg(long, value_name = "FILE", env = "LYFTLEARN_CONFORMANCE_SARIF")]
    pub(crate) sarif: Option<PathBuf>,
    /// Writes the list of files opened at the start, in the format of soci convert --prefetch-files-json
    #[arg(long, value_name = "FILE", env = "LYFTLEARN_CONFORMANCE_PREFETCH")]
    pub(crate) prefetch: Option<PathBuf>,
    /// The file to attach findings to, in SARIF and on GitHub [default: image.toml]
    #[arg(long, value_name = "FILE", env = "LYFTLEARN_CONFORMANCE_DOCKERFILE")]
    pub(crate) dockerfile: Option<PathBuf>,
}

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The engine that has the image; podman first
    Auto,
    /// podman
    Podman,
    /// docker
    Docker,
    /// The cluster in a kubeconfig: checks of a pod, a Job and a restricted pod
    Kubernetes,
}

/// The form of results on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people
    Text,
    /// For programs
    Json,
    /// For GitHub: annotations, and a table in $GITHUB_STEP_SUMMARY; list uses the text format
    Github,
}
