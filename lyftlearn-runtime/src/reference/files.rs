//! `docs/reference/files.md`: the run directory, and the paths of the runtime's own files.

use std::fmt::Write;

use expect_test::expect_file;

use super::{Row, heading, page, row, table};
use crate::contract::{delivered as ours, events, limits, runtime, secrets};

const INTRODUCTION: &str = "Files that the runtime writes and reads. Files of the platforms are on the page [inputs](inputs.md).";

const RUN_DIRECTORY: &[Row] = &[
    row(
        &[ours::WORKLOAD_FILE],
        "the whole workload, with the field names of `inspect --json`",
    ),
    row(
        &[ours::HYPERPARAMETERS_DOCUMENT],
        "the merged hyperparameters",
    ),
    row(
        &[ours::ENVIRONMENT_DOCUMENT],
        "the delivered variables as one JSON object, without your own",
    ),
    row(
        &[secrets::DIRECTORY],
        "directory of secrets, in memory; removed at the end. `.all.json` in it holds every secret",
    ),
    row(
        &[ours::EXCEPTIONS],
        "directory with a note for each uncaught exception, and for each message that a process exited with",
    ),
    row(
        &[ours::SHUTDOWN_FILE],
        "written before the stop signal is forwarded: `signal`, `requested`, `deadline`. The times are seconds on CLOCK_MONOTONIC, as Python's `time.monotonic()`",
    ),
    row(
        &[ours::OUTCOME_FILE],
        "written at the end: why the program ended, see [stopping and outcomes](../stopping.md)",
    ),
    row(
        &[events::PROGRESS_FILE],
        "the last progress that the program reported: `fraction`, `message`",
    ),
    row(
        &[ours::RUNTIME_NOTE],
        "the runtime that owns the directory: `boot`, `pid_namespace`, `pid`",
    ),
    row(
        &[ours::AGENT_SOCKET],
        "stream socket of the agent. It sends each client the agent's state as one line of JSON: `credentials` (for each identity `seconds_left`, `refreshes`, `failures`, `served`, `last_failure`, `clock_ahead_seconds`), `refused` (requests by reason) and `metrics` (`statsd` with each listener's address, `series`, `kept`, `counts`)",
    ),
    row(
        &[ours::IDENTITY],
        "directory, if credentials are served: `token` without a newline, and `endpoint` with the address, both with mode 0400, for clients without the environment",
    ),
    row(
        &[ours::STATSD_DATAGRAMS, ours::STATSD_STREAM],
        "if the runtime listens for StatsD: a datagram socket, and a stream socket for frames (a length of four bytes, little-endian) or lines",
    ),
    row(
        &[ours::STATSD_PORTS],
        "the StatsD ports, for processes outside the program's environment: `host`, `port`, `tcp`, `dogstatsd`",
    ),
    row(
        &[ours::LISTENERS],
        "everything that the runtime has bound: `listener`, `protocol` and `address` of each",
    ),
    row(
        &[ours::METRICS_REGION],
        "shared memory in which all processes count, mode 0600. If the run directory is on a disk, this is a link to `lyftlearn-metrics-<letters>` in `/dev/shm`, which PID 1 removes at its end; if PID 1 was killed, the next start of that user removes it",
    ),
    row(
        &[ours::METRICS_SOCKET],
        "stream socket that answers `GET /metrics` by HTTP, as the port does",
    ),
    row(
        &[ours::METRICS_SENT, ours::METRICS_SENT_EMF],
        "what the agent has already sent, so that a restarted agent sends nothing twice",
    ),
    row(
        &[ours::METRICS_UNDELIVERED],
        "at the end: how many values the agent could not deliver",
    ),
    row(
        &[ours::SNAPSHOT],
        "with `user`, in training: what the snapshot beside the model says of the start",
    ),
];

const OWN: &[Row] = &[
    row(&[runtime::IMAGE_SETTINGS], "settings of the image"),
    row(
        &[runtime::CONFIG_DIR],
        "the config directory on Kubernetes and elsewhere: usually a ConfigMap",
    ),
    row(
        &[runtime::CONFIG_CHANNEL_DIR],
        "the config directory on SageMaker: the input channel `lyftlearn`",
    ),
    row(
        &[runtime::SETTINGS_FILE],
        "in the config directory: settings of the deployment",
    ),
    row(
        &[runtime::HYPERPARAMETERS_FILE],
        "in the config directory: hyperparameters. SageMaker's own override them key by key",
    ),
    row(
        &[runtime::ENVIRONMENT_JSON],
        "in the config directory: variables for the program, as one object of strings, numbers and booleans",
    ),
    row(
        &[runtime::ENVIRONMENT_LINES],
        "in the config directory: the same as lines, as `docker run --env-file` reads them. It overrides `environment.json`",
    ),
    row(
        &[runtime::CHECKSUM],
        "after the name of a document, as in `environment.json.sha256`: its checksum, as `sha256sum` prints it. A mismatch stops the start",
    ),
    row(
        &[runtime::LIVE_DIR],
        "live configuration; on SageMaker `live` in the config directory",
    ),
    row(
        &[runtime::IMAGE_ENVIRONMENT],
        "the image's own environment, written when the image is built with `RUN env -0 >/etc/lyftlearn/image-environment`",
    ),
    row(
        &[runtime::DECLARED_DIFFERENCES],
        "differences between snapshots that are expected: one dotted path in each line, `*` for any characters, `#` for a comment",
    ),
    row(
        &[runtime::MODEL_SNAPSHOT],
        "in the model's directory: the snapshot of the training that made the model",
    ),
    row(
        &[runtime::RUN_DIR],
        "the run directory's first choice; else `lyftlearn-<uid>` in the temporary directory, else in `/dev/shm`; with a number if that is in use or another user's, at last `lyftlearn-run-<letters>`",
    ),
];

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

fn bytes(count: usize) -> String {
    size(u64::try_from(count).unwrap())
}

#[test]
fn files() {
    let mut text = page("Files", INTRODUCTION);
    heading(
        &mut text,
        "The run directory",
        "`LYFTLEARN_RUN_DIR` names it. The directory has mode 0700 and its files 0600. Each file is written whole or not at all.",
    );
    table(&mut text, "file", RUN_DIRECTORY);
    text.push_str(
        "\nThe directory is locked (flock(2)) while its runtime lives. If another runtime owns it, as in containers of one pod that \
         share `/run` or `/tmp`, the next number is used, such as `/run/lyftlearn-2`, and this is reported as a problem. \
         A directory whose runtime has ended is emptied and used again. A `run` that is not PID 1 removes its directory at its end. \
         If no directory can be written, the program starts without these files, and this is reported as a problem.\n\n\
         `lyftlearn-runtime` commands that find no `LYFTLEARN_RUN_DIR` look in the same places for the directory of a live runtime in their \
         PID namespace.\n",
    );
    heading(&mut text, "The runtime's own files", "");
    table(&mut text, "file", OWN);
    heading(
        &mut text,
        "Limits",
        "A file over its limit stops the start. A report names the first mistakes of a document and counts the others.",
    );
    text.push_str("\n| what | limit |\n|---|---|\n");
    for (what, limit) in [
        (
            "a document of the platform or of the config directory",
            size(limits::DOCUMENT_BYTES),
        ),
        ("`runtime.toml`", size(limits::SETTINGS_BYTES)),
        ("hyperparameters", size(limits::HYPERPARAMETERS_BYTES)),
        (
            "one value of live configuration",
            size(limits::LIVE_VALUE_BYTES),
        ),
        ("a file of the kernel", size(limits::KERNEL_FILE_BYTES)),
        (
            "one variable: name, `=`, value and NUL (the kernel's limit)",
            bytes(limits::ENVIRONMENT_STRING_BYTES),
        ),
        (
            "all variables together (the kernel's limit)",
            bytes(limits::ENVIRONMENT_BYTES),
        ),
        ("mistakes that a report names", limits::MISTAKES.to_string()),
        ("declared secrets", limits::SECRETS.to_string()),
        (
            "files of a directory of secrets",
            limits::SECRET_KEYS.to_string(),
        ),
        (
            "all files of a directory of secrets together",
            bytes(limits::SECRET_DIRECTORY_BYTES),
        ),
        (
            "hosts of a job, and instance groups",
            limits::NODES.to_string(),
        ),
        ("channels of a job", limits::CHANNELS.to_string()),
        (
            "labels of a pod, and annotations",
            limits::LABELS.to_string(),
        ),
        ("supplementary groups of `user`", limits::GROUPS.to_string()),
        (
            "lines with `*` in `declared-differences`",
            limits::WILDCARDS.to_string(),
        ),
        (
            "destinations of `events.to`",
            events::DESTINATIONS.to_string(),
        ),
        (
            "characters of a job's name in an event",
            events::NAME_CHARACTERS.to_string(),
        ),
        ("tags of an event", bytes(events::TAGS_BYTES)),
        ("an event", bytes(events::EVENT_BYTES)),
    ] {
        writeln!(text, "| {what} | {limit} |").unwrap();
    }
    expect_file!["../../../docs/reference/files.md"].assert_eq(&text);
}
