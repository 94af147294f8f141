//! Helper processes: this binary once more, for what waits on a network before the program is
//! there. A question on its standard input, an answer on its standard output, and its end.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::fault::not_for_people;
use crate::contract::aws;
use crate::error::Error;
use crate::facts::{Facts, SOCKETS_VARIABLE};
use crate::init;

/// Added to what a helper may take: for its start and its answer.
const MARGIN: Duration = Duration::from_secs(2);

/// What a process of this runtime's own finds in its environment when so many sockets are
/// handed to it.
pub(super) fn environment(facts: &Facts, sockets: usize) -> Vec<(OsString, OsString)> {
    let handed = (SOCKETS_VARIABLE.into(), sockets.to_string().into());
    facts
        .for_others()
        .into_iter()
        // Blank is not set, and what speaks TLS takes it for a file.
        .filter(|(name, value)| name != aws::SSL_CERT_FILE || !value.is_empty())
        .chain([handed])
        .collect()
}

/// Starts the helper process that `word` names and waits for its answer; `None` if it does not
/// answer within `patience`. The helper passes secrets through `socket`, not through its answer.
pub(super) fn ask<A: DeserializeOwned>(
    facts: &Facts,
    word: &'static str,
    question: &impl Serialize,
    patience: Duration,
    socket: Option<UnixDatagram>,
) -> Option<A> {
    let argv: Vec<OsString> = ["lyftlearn-runtime", word, &std::process::id().to_string()]
        .map(OsString::from)
        .into();
    let question = serde_json::to_vec(question).expect("plain data has no failure to report");
    let answer = init::ask_helper(
        &argv,
        &environment(facts, usize::from(socket.is_some())),
        &Zeroizing::new(question),
        patience + MARGIN,
        socket.map(OwnedFd::from),
    );
    serde_json::from_slice(&Zeroizing::new(answer?)).ok()
}

/// Runs in the helper process itself.
pub(super) fn run<Q: DeserializeOwned, A: Serialize>(
    word: &'static str,
    arguments: &[OsString],
    answer: impl AsyncFnOnce(Q) -> A,
) -> Result<u8, Error> {
    let parent = arguments
        .first()
        .and_then(|word| word.to_str()?.parse().ok());
    let not_for_people = || not_for_people(word);
    let parent: u32 = parent.ok_or_else(not_for_people)?;
    init::belongs_to(parent).ok_or_else(not_for_people)?;
    // It has secrets, which must not be readable from its memory or in a core dump.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let mut question = Zeroizing::new(Vec::new());
    let read = std::io::stdin().read_to_end(&mut question);
    read.map_err(|_| not_for_people())?;
    // It is where the answer goes, too: what the helper starts must not write there.
    let nothing = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let (nothing, _) = nothing.map_err(|_| not_for_people())?;
    rustix::stdio::dup2_stdin(nothing).map_err(|_| not_for_people())?;
    let question: Q = serde_json::from_slice(&question).map_err(|_| not_for_people())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|_| not_for_people())?;
    let answer = runtime.block_on(answer(question));
    // A resolver that hangs in its thread is not waited for.
    runtime.shutdown_background();
    let answer = serde_json::to_vec(&answer).expect("texts have no failure to report");
    let answer = Zeroizing::new(answer);
    // A reader that is gone does not need the answer any more.
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(&answer).and_then(|()| stdout.flush());
    Ok(0)
}
