//! Refreshes files of secrets while the program runs. It fetches them at their intervals, replaces
//! the whole set at once and signals the program. A secret that cannot be fetched keeps its last
//! value.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::contract::limits;
use crate::deliver::Notes;
use crate::deliver::secrets::{read, replace};
use crate::facts::{Facts, wall_clock};
use crate::held::Directory;
use crate::resolve::{Resolved, resolve};
use crate::secrets::fetch::{fetch, request};
use crate::secrets::{Content, Files, Set, parse, read_local};
use crate::settings::secrets::Declared;

/// Containers that started together do not ask together: a tenth of the interval, either way.
const JITTER: f64 = 0.1;

/// When each was last obtained, by the wall clock; those that are not here were at the beginning.
pub(super) type Ages = Rc<RefCell<BTreeMap<String, Duration>>>;

/// Follows what `parent` has delivered into the directory `run`; ends when there is nothing to follow.
pub(super) async fn follow(parent: u32, run: Directory, notes: Option<Rc<Notes>>, ages: Ages) {
    let facts = Facts::capture(Vec::new());
    // The process that started this one has resolved the same settings and reported their faults.
    let Ok(resolved) = resolve(&facts) else {
        return;
    };
    let facts = facts.wary_of_links(resolved.settings.user.is_some());
    let mut due: Vec<(Instant, &Declared)> = (resolved.settings.secrets.iter())
        .filter(|secret| secret.is_followed())
        .map(|secret| (next(secret), secret))
        .collect();
    while let Some(first) = due.iter().map(|(at, _)| *at).min() {
        tokio::time::sleep_until(first).await;
        let now = Instant::now();
        let asked: Vec<&Declared> = (due.iter_mut())
            .filter(|(at, _)| *at <= now)
            .map(|(at, secret)| {
                *at = next(secret);
                *secret
            })
            .collect();
        let fresh = again(&facts, &resolved, &asked).await;
        let now = wall_clock();
        let names = fresh.iter().map(|(secret, _)| secret.name.clone());
        ages.borrow_mut().extend(names.map(|name| (name, now)));
        // A full disk, or a directory that somebody took away: the next round may be better.
        let notes = notes.as_deref();
        for number in swapped(&resolved, &run, notes, fresh).unwrap_or_default() {
            signal_program(parent, number);
        }
    }
}

fn next(secret: &Declared) -> Instant {
    let jitter = 1.0 - JITTER + 2.0 * JITTER * fastrand::f64();
    Instant::now() + Duration::from_secs(secret.refresh.into()).mul_f64(jitter)
}

/// What can be had of them now.
async fn again<'a>(
    facts: &Facts,
    resolved: &Resolved,
    asked: &[&'a Declared],
) -> Vec<(&'a Declared, Content)> {
    let platform = resolved.workload.platform;
    let mut wanted = Vec::new();
    let mut fresh = Vec::new();
    for secret in asked {
        match secret.source(platform) {
            Some(source) if source.is_remote() => {
                wanted.push((secret.name.clone(), source.clone()));
            }
            Some(source) => {
                let content = read_local(facts, source).ok();
                fresh.extend(content.map(|content| (*secret, content)));
            }
            None => {}
        }
    }
    if !wanted.is_empty() {
        let mut answer = fetch(request(facts, resolved, wanted)).await;
        for secret in asked {
            let content = answer.found.remove(&secret.name);
            fresh.extend(content.map(|content| (*secret, content)));
        }
    }
    fresh
}

/// Replaces the set where it has changed, and names the signals that say so.
fn swapped(
    resolved: &Resolved,
    run: &Directory,
    notes: Option<&Notes>,
    fresh: Vec<(&Declared, Content)>,
) -> Option<BTreeSet<i32>> {
    let mut set = parse(&read(run).ok()??)?;
    let mut changed = Set::new();
    let mut signals = BTreeSet::new();
    for (secret, content) in fresh {
        if set.get(&secret.name) != Some(&content) {
            signals.extend(secret.on_change);
            changed.insert(secret.name.clone(), content.clone());
            set.insert(secret.name.clone(), content);
        }
    }
    if changed.is_empty() {
        return None;
    }
    // Before the program has them. Without a note, a reason may show them once they are replaced.
    let _ = notes.map_or(Ok(()), |notes| note(notes, &changed, &set));
    let files = Files::of(&resolved.settings, &set);
    replace(run, &files.all()).ok()?;
    Some(signals)
}

/// Notes the changed part of a set. If earlier values have to make room, it notes the whole set.
fn note(notes: &Notes, changed: &Set, set: &Set) -> std::io::Result<()> {
    let all = notes.forget_replaced(limits::REPLACED_BYTES)?;
    let noted = if all { set } else { changed };
    notes.add_secrets(&Zeroizing::new(serde_json::to_vec(noted)?))
}

/// Sends the signal to PID 1, which forwards it to the program.
fn signal_program(parent: u32, number: i32) {
    let parent = i32::try_from(parent).map(Pid::from_raw);
    if let (Ok(parent), Ok(signal)) = (parent, Signal::try_from(number)) {
        let _ = nix::sys::signal::kill(parent, signal);
    }
}
