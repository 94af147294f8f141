//! What this binary does inside of containers.
//!
//! As the *helper* it holds a container's network, with stand-ins for a platform's services, fills and
//! reads its volumes, and is the client of its server. As the *program* it takes the place of the
//! image's own and tells what a program sees. As the *observer* it traces the image's own entry point.

pub mod helper;
pub mod http;
pub mod identity;
pub mod metrics;
mod netlink;
pub mod observe;
pub mod program;
pub mod secrets;
pub mod standin;
mod taken;

use std::io::Write;

use serde::Serialize;

/// Where the probe is in an image's container.
pub const PATH: &str = "/.conformance/probe";

/// Runs one word of the probe's; its exit code, or why it failed.
///
/// # Errors
///
/// A sentence for stderr.
pub fn run(words: &[String]) -> Result<u8, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = |result: Result<(), String>| result.map(|()| 0);
    match words.as_slice() {
        ["install", path] => done(helper::install(path)),
        ["hold"] => done(helper::hold()),
        ["stand-in", told] => done(standin::start(told).and_then(|()| helper::hold())),
        ["watch", engine, prefix] => done(crate::engine::clean::watch(engine, prefix)),
        ["unpack", directory] => done(helper::unpack(directory)),
        ["copy", from, to] => {
            standin::awaited();
            done(helper::copy(from.as_ref(), to.as_ref()))
        }
        ["keep", from, to] => {
            standin::awaited();
            done(helper::keep(from.as_ref(), to.as_ref()))
        }
        ["list", directory] => done(answer(&helper::list(directory.as_ref())?)),
        ["search", directory, text] => done(answer(&helper::search(directory.as_ref(), text)?)),
        ["hashes", directory] => done(answer(&helper::hashes(directory.as_ref())?)),
        ["get", port, path] => done(http::show(number(port)?, path)),
        ["read", path] => done(helper::read(path)),
        ["ready", port, path, seconds] => {
            done(answer(&http::ready(number(port)?, path, number(seconds)?)))
        }
        ["post", port, path, kind] => done(answer(&http::post(
            number(port)?,
            path,
            kind,
            &helper::stdin()?,
        ))),
        ["load", port, path, kind, ping, seconds] => {
            let load = http::load(
                number(port)?,
                path,
                kind,
                &helper::stdin()?,
                ping,
                number(seconds)?,
            );
            done(answer(&load))
        }
        // A program is given the job's hyperparameters, too; the probe has no use for them.
        ["see", "and", "hold", ..] => done(program::see().and_then(|()| helper::hold())),
        ["observe", directory, words @ ..] => observe::observe(directory, words),
        ["trace", pid, directory] => done(observe::trace(number(pid)?, directory)),
        ["begin", words @ ..] => observe::begin(words),
        ["since", ..] => done(observe::since()),
        ["see", ..] => done(program::see()),
        ["exit", code, ..] => number(code),
        ["count", "and", "hold", ..] => done(metrics::count().and_then(|()| helper::hold())),
        ["count", ..] => done(metrics::count()),
        ["secrets", ..] => done(answer(&secrets::delivered())),
        ["die", ..] => done(program::die()),
        ["eat", ..] => done(program::eat()),
        ["deaf", ..] => done(program::deaf()),
        ["identity", seconds, ..] => done(answer(&identity::watch(number(seconds)?))),
        ["signals", ..] => done(program::signals()),
        ["orphans-of", count] => done(program::orphans_of(number(count)?)),
        ["orphans", count] => done(answer(&program::orphans(number(count)?)?)),
        _ => Err(format!("no such word of the probe's: {}", words.join(" "))),
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("not a number: {word}"))
}

fn answer(value: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string(value).map_err(|err| err.to_string())?;
    say(&text)
}

/// In one write: between two of them an engine can log a line of stderr.
fn say(line: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout();
    let line = format!("{line}\n");
    let said = stdout
        .write_all(line.as_bytes())
        .and_then(|()| stdout.flush());
    said.map_err(|err| format!("cannot write to stdout: {err}"))
}
