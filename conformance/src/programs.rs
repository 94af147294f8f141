//! The programs under test, where the build leaves them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::sandbox::Sandbox;

/// This crate's directory. A released binary names no directory of the machine that built it: it
/// is to be run in a checkout.
pub(crate) const HERE: &str = match option_env!("LYFTLEARN_CONFORMANCE_RELEASED") {
    Some(_) => "conformance",
    None => env!("CARGO_MANIFEST_DIR"),
};

/// The repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(HERE)
        .parent()
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// The runtime's static binary; `LYFTLEARN_CONFORMANCE_BINARY` names another.
///
/// # Panics
///
/// When it has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    let built = || {
        let shipped = repository().join("target/shipped");
        shipped
            .join(std::env::consts::ARCH)
            .join("lyftlearn-runtime")
    };
    let path = std::env::var_os("LYFTLEARN_CONFORMANCE_BINARY").map_or_else(built, PathBuf::from);
    assert!(
        path.is_file(),
        "{} does not exist: run make build first",
        path.display()
    );
    path
}

/// The image checker as a static binary, which it must be to run inside of containers.
///
/// # Panics
///
/// When it has not been built.
#[must_use]
pub fn checker() -> PathBuf {
    static_program("lyftlearn-conformance")
}

/// The program of small test images.
///
/// # Panics
///
/// When it has not been built.
#[must_use]
pub fn actor() -> PathBuf {
    static_program("examples/actor")
}

fn static_program(name: &str) -> PathBuf {
    let path = repository()
        .join("target/x86_64-unknown-linux-musl/debug")
        .join(name);
    assert!(
        path.is_file(),
        "{} does not exist: run make build first",
        path.display()
    );
    path
}

/// From `LYFTLEARN_CONFORMANCE_PYTHON`, or where the build makes it.
fn the_builds_python() -> PathBuf {
    let built = || repository().join("target/venv/bin/python");
    std::env::var_os("LYFTLEARN_CONFORMANCE_PYTHON").map_or_else(built, PathBuf::from)
}

/// That Python, when it is there and runs this.
fn works(python: PathBuf, code: &str) -> Option<PathBuf> {
    command::succeeds(Command::new(&python).args(["-c", code])).then_some(python)
}

/// What `code` prints there.
///
/// # Panics
///
/// When it fails.
#[must_use]
#[track_caller]
pub fn asked(python: &Path, code: &str) -> String {
    let output = command::output(Command::new(python).args(["-c", code]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A Python that has the wheel, from `LYFTLEARN_CONFORMANCE_PYTHON` or where the
/// build makes it. Without one the wheel's door stays shut: loudly, and never in CI.
///
/// # Panics
///
/// In CI, if there is none.
#[must_use]
pub fn python_with_wheel() -> Option<PathBuf> {
    works(the_builds_python(), "import lyftlearn_runtime")
        .or_else(|| skipped("found no Python with the wheel: run make build first"))
}

/// Debian's Python, when it has torch.
///
/// # Panics
///
/// In CI, when it has not.
#[must_use]
pub fn python_with_torch() -> Option<PathBuf> {
    works("/usr/bin/python3".into(), "import torch.utils.data")
        .or_else(|| skipped("no torch: apt-get install python3-torch"))
}

/// Puts an environment of Python into a container, and its interpreter, which is elsewhere.
#[must_use]
pub fn mount_python(container: Sandbox, python: &Path) -> Sandbox {
    let above = |path: &Path| Some(path.parent()?.parent()?.to_owned());
    let interpreter = std::fs::canonicalize(python).unwrap_or_else(|_| python.to_owned());
    let mut container = container;
    for directory in [above(python), above(&interpreter)].into_iter().flatten() {
        if !directory.starts_with("/usr") {
            container = container.mount_read_only(&directory, &directory);
        }
    }
    container
}

/// A Python that has sagemaker-training-toolkit, from `LYFTLEARN_CONFORMANCE_TOOLKIT` or where
/// the build makes it.
///
/// # Panics
///
/// In CI, if there is none.
#[must_use]
pub fn python_with_toolkit() -> Option<PathBuf> {
    let built = || repository().join("target/toolkit/bin/python");
    let python =
        std::env::var_os("LYFTLEARN_CONFORMANCE_TOOLKIT").map_or_else(built, PathBuf::from);
    let asked = "import importlib.metadata as m; assert m.version('sagemaker-training') == '5.1.4'";
    works(python, asked)
        .or_else(|| skipped("no Python with sagemaker-training 5.1.4: run `make build` first"))
}

/// A Python that has one of the SageMaker SDK's lines, 2 or 3, where the build makes it.
///
/// # Panics
///
/// In CI, if there is none.
#[must_use]
pub fn python_with_sdk(line: u8) -> Option<PathBuf> {
    let python = repository().join(format!("target/sdk-{line}/bin/python"));
    let package = if line == 2 {
        "sagemaker"
    } else {
        "sagemaker-train"
    };
    let asked = format!("import importlib.metadata as m; m.version('{package}')");
    works(python, &asked)
        .or_else(|| skipped("no Python with the SageMaker SDK: run `make build` first"))
}

/// A Python that has PySpark of a line, 3.5 or 4, where the build makes it.
///
/// # Panics
///
/// In CI, if there is none.
#[must_use]
pub fn python_with_spark(line: &str) -> Option<PathBuf> {
    let python = repository().join(format!("target/spark-{line}/bin/python"));
    works(
        python,
        "import importlib.util as u; assert u.find_spec('pyspark')",
    )
    .or_else(|| skipped("no Python with PySpark: run `make peers` or `make test-spark` first"))
}

/// Puts what a JVM reads below /etc into a container.
#[must_use]
pub fn mount_java(container: Sandbox) -> Sandbox {
    let mut container = container;
    for entry in std::fs::read_dir("/etc").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("java-") {
            container = container.mount_read_only(entry.path(), entry.path());
        }
    }
    container
}

/// A Python that has what secrets are asked for in tests (moto, kmsauth, confidant-client), from
/// `LYFTLEARN_CONFORMANCE_PYTHON` or where the build makes it.
///
/// # Panics
///
/// In CI, if there is none.
#[must_use]
pub fn python_with_servers() -> Option<PathBuf> {
    works(
        the_builds_python(),
        "import boto3, confidant_client, kmsauth, moto",
    )
    .or_else(|| skipped("no Python with moto: run `make build` first"))
}

/// A Python that has what metrics are collected with in tests (opentelemetry-proto, rotel), from
/// `LYFTLEARN_CONFORMANCE_PYTHON` or where the build makes it.
///
/// # Panics
///
/// In CI, if there is none.
#[must_use]
pub fn python_with_collector() -> Option<PathBuf> {
    works(the_builds_python(), "import opentelemetry.proto, rotel")
        .or_else(|| skipped("no Python with a collector: run `make build` first"))
}

/// A Python with jsonschema, and the schema of CloudWatch's documents that AWS' own library for
/// Python was held to: older than the specification of today, which allows no dimension, too, and
/// more than nine.
///
/// # Panics
///
/// In CI, if there is none.
#[must_use]
pub fn python_with_emf_schema() -> Option<(PathBuf, PathBuf)> {
    let schema = repository().join("target/emf/aws_lambda_powertools/metrics/schema.json");
    works(the_builds_python(), "import jsonschema")
        .filter(|_| schema.exists())
        .map(|python| (python, schema))
        .or_else(|| skipped("no schema of CloudWatch's documents: run `make peers` first"))
}

/// The directory with the peers that are written in Go, where `make test-go` builds them.
///
/// # Panics
///
/// In CI, when they are not there.
#[must_use]
pub fn go_peers() -> Option<PathBuf> {
    let directory = repository().join("target/go-peers");
    let built = directory.join("statsd_exporter").is_file();
    (built.then_some(directory)).or_else(|| skipped("no peers in Go: run `make test-go`"))
}

/// The clients that an identity is proved with, where the build makes them.
#[derive(Debug)]
pub struct Clients {
    directory: PathBuf,
    caller: PathBuf,
}

impl Clients {
    /// `None` where they are not there.
    ///
    /// # Panics
    ///
    /// In CI, when they are not there.
    #[must_use]
    pub fn installed() -> Option<Self> {
        let directory = repository().join("target/clients");
        let caller = repository().join("target/debug/examples/caller");
        let java = directory.join("java");
        let python = directory.join("python/bin/python");
        if python.exists() && java.is_dir() && caller.is_file() {
            Some(Self { directory, caller })
        } else {
            skipped("no clients of AWS: run `make build` first")
        }
    }

    /// Their Python, in a container that [`mount`](Self::mount) made.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.directory.join("python/bin/python")
    }

    /// Puts them into a container.
    #[must_use]
    pub fn mount(&self, container: Sandbox) -> Sandbox {
        let below = |name: &str| self.directory.join(name);
        // Environments of Python know themselves, and their interpreter, by their paths.
        let container = container
            .mount_read_only(below("cli"), below("cli"))
            .mount_read_only(below("javascript"), "/opt/javascript")
            .mount_read_only(below("java"), "/opt/java")
            .mount_read_only(&self.caller, "/opt/programs/caller");
        mount_python(mount_java(container), &self.python())
    }
}

/// Says why a test cannot run here; in CI nothing may be skipped.
///
/// # Panics
///
/// In CI.
#[must_use]
pub fn skipped<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {why}");
    // Past the test harness, which shows nothing of a test that passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
    None
}
