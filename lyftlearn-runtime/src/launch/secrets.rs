//! Delivers secrets to the program. Local ones are read, remote ones are fetched by a helper
//! process, and the start fails if a required one is missing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use zeroize::Zeroizing;

use crate::contract::secrets as words;
use crate::deliver::secrets::{self as delivered, Kept, keep};
use crate::deliver::{Notes, SecretVariable};
use crate::error::Error;
use crate::facts::Facts;
use crate::held::Directory;
use crate::layers::Services;
use crate::platform::conventions;
use crate::problems::Problems;
use crate::resolve::Resolved;
use crate::secrets::fault::{Failure, SecretsFault, Why};
use crate::secrets::naming::{self, Named};
use crate::secrets::{Content, Files, Set, parse, read_local};
use crate::settings::Settings;
use crate::settings::secrets::{Declared, Source};

/// The word by which this binary knows that it is to fetch.
#[cfg(feature = "agent")]
pub(crate) const ARGUMENT: &str = "--secrets";

/// Everything that is to be delivered.
#[derive(Debug, Default)]
pub(crate) struct Obtained {
    pub(crate) set: Set,
    pub(crate) variables: Vec<SecretVariable>,
    pub(crate) problems: Problems,
}

/// What can be decided without the network.
#[derive(Default)]
struct Plan<'a> {
    found: BTreeMap<&'a str, Result<Content, Why>>,
    /// Secrets whose variables the platform has set already.
    injected: Vec<&'a str>,
    wanted: Vec<(String, Source)>,
}

/// Whether something has to be fetched.
pub(crate) fn fetches(facts: &Facts, resolved: &Resolved) -> bool {
    !plan(facts, resolved).wanted.is_empty()
}

/// Reads and fetches all secrets. A required secret that is missing fails the start.
pub(crate) fn obtain(facts: &Facts, resolved: &Resolved) -> Result<Obtained, Error> {
    let mut obtained = Obtained::default();
    let mut missing = Vec::new();
    for (secret, found) in looked_for(facts, resolved) {
        match found {
            Ok((content, named)) => obtained.add(secret, content, named),
            Err(why) => {
                let name = secret.name.clone();
                let failure = Failure { name, why };
                if secret.required {
                    missing.push(failure);
                } else {
                    obtained.problems.push(failure.to_string());
                }
            }
        }
    }
    if missing.is_empty() {
        Ok(obtained)
    } else {
        Err(SecretsFault::Missing { failures: missing }.into())
    }
}

/// A secret and its variables, or why it is missing.
pub(crate) type LookedFor = Result<(Content, Named), Why>;

/// Each secret that is declared for this platform, with the result.
pub(crate) fn looked_for<'a>(
    facts: &Facts,
    resolved: &'a Resolved,
) -> Vec<(&'a Declared, LookedFor)> {
    let declared = &resolved.settings.secrets;
    let mut plan = plan(facts, resolved);
    if !plan.wanted.is_empty() {
        let wanted = std::mem::take(&mut plan.wanted);
        let fetched = fetch(facts, resolved, wanted);
        for secret in declared {
            if let Some(result) = fetched.get(&secret.name) {
                plan.found.insert(&secret.name, result.clone());
            }
        }
    }
    declared
        .iter()
        .filter_map(|secret| {
            let found = plan.found.remove(secret.name.as_str())?;
            let injected = plan.injected.contains(&secret.name.as_str());
            let found = found.and_then(|content| {
                named(secret, &content, injected).map(|named| (content, named))
            });
            Some((secret, found))
        })
        .collect()
}

/// The secrets that need no network, for commands that only show names. Missing ones are left out.
pub(crate) fn at_hand(facts: &Facts, resolved: &Resolved) -> Obtained {
    let mut plan = plan(facts, resolved);
    let mut obtained = Obtained::default();
    for secret in &resolved.settings.secrets {
        let injected = plan.injected.contains(&secret.name.as_str());
        if let Some(Ok(content)) = plan.found.remove(secret.name.as_str())
            && let Ok(named) = named(secret, &content, injected)
        {
            obtained.add(secret, content, named);
        }
    }
    obtained
}

/// The secrets that PID 1 delivered, read again for `exec` in the same container.
pub(crate) fn beside(settings: &Settings, run: &Directory) -> Result<Obtained, Error> {
    let mut obtained = Obtained::default();
    if settings.secrets.is_empty() {
        return Ok(obtained);
    }
    let broken = || SecretsFault::Broken {
        path: run.path().join(words::DIRECTORY),
    };
    let Some(document) = delivered::read(run).map_err(|_| broken())? else {
        return Ok(obtained);
    };
    let mut set = parse(&document).ok_or_else(broken)?;
    for secret in &settings.secrets {
        if let Some(content) = set.remove(&secret.name)
            && let Ok(named) = named(secret, &content, false)
        {
            obtained.add(secret, content, named);
        }
    }
    Ok(obtained)
}

/// The set as files in the run directory; `None` if no secret is a file.
pub(crate) fn keep_set(
    settings: &Settings,
    obtained: &Obtained,
    run: Option<&Directory>,
    problems: &mut Problems,
) -> Result<Option<Kept>, Error> {
    if obtained.set.is_empty() {
        return Ok(None);
    }
    let files = Files::of(settings, &obtained.set);
    let kept = match run {
        Some(run) => keep(run, &files.all()).map_err(|err| err.kind().to_string()),
        None => Err("no run directory".to_owned()),
    };
    match kept {
        Ok((kept, problem)) => {
            problems.extend(problem);
            Ok(Some(kept))
        }
        // If files are required by a setting, the start fails without them.
        Err(reason) if files.asked_for() => Err(SecretsFault::Undelivered { reason }.into()),
        Err(reason) => {
            problems.push(format!("secrets are delivered as variables only: {reason}"));
            Ok(None)
        }
    }
}

/// Notes of a set, for a reason that quotes a secret: the program may remove the files, and no file
/// has a value that was replaced. Without memory for them, the files have to do.
pub(crate) fn noted(set: &Set) -> Option<Notes> {
    if set.is_empty() {
        return None;
    }
    let document = Zeroizing::new(serde_json::to_vec(set).ok()?);
    let notes = Notes::new().ok()?;
    notes.add_secrets(&document).ok()?;
    Some(notes)
}

impl Obtained {
    fn add(&mut self, secret: &Declared, content: Content, named: Named) {
        for (name, value) in named.variables {
            // The first secret that names a variable keeps it, as with `: ${NAME=value}`.
            if self.variables.iter().any(|known| known.name == name) {
                let secret = &secret.name;
                self.problems
                    .push(format!("secret {secret}: another secret sets {name}"));
                continue;
            }
            self.variables.push(SecretVariable {
                name,
                value: OsString::from_vec(value.bytes().to_vec()),
                secret: secret.name.clone(),
                overrides: secret.overrides,
            });
        }
        self.problems.extend(named.problems);
        self.set.insert(secret.name.clone(), content);
    }
}

fn named(secret: &Declared, content: &Content, injected: bool) -> Result<Named, Why> {
    if injected {
        return Ok(Named::default());
    }
    naming::variables(secret, content)
}

fn plan<'a>(facts: &Facts, resolved: &'a Resolved) -> Plan<'a> {
    let platform = resolved.workload.platform;
    let mut plan = Plan::default();
    // The volume of a source may outlive a container, and an earlier program of that user.
    let wary = (resolved.settings.user.is_some()).then(|| facts.clone().wary_of_links(true));
    let sources = wary.as_ref().unwrap_or(facts);
    for secret in &resolved.settings.secrets {
        let name = secret.name.as_str();
        if let Some(content) = injected(facts, resolved, secret) {
            plan.injected.push(name);
            plan.found.insert(name, Ok(content));
            continue;
        }
        let found = match secret.source(platform) {
            Some(source) if source.is_remote() => {
                plan.wanted.push((name.to_owned(), source.clone()));
                continue;
            }
            Some(source) => read_local(sources, source),
            None => Err(Why::NoSource {
                platform: platform.as_str().to_owned(),
            }),
        };
        plan.found.insert(name, found);
    }
    plan
}

/// What somebody else has delivered already: then there is nothing left to do. A variable
/// that is set stands even when it is blank, as confidant-format's `: ${NAME=value}` has it.
fn injected(facts: &Facts, resolved: &Resolved, secret: &Declared) -> Option<Content> {
    use std::os::unix::ffi::OsStrExt;

    if secret.overrides || secret.file.is_some() {
        return None;
    }
    if let Some(variable) = secret.variable().filter(|_| secret.prefix.is_none()) {
        let document = resolved
            .variables
            .iter()
            .find(|known| known.name == variable);
        let found = facts.vars().iter().find(|(name, _)| *name == *variable);
        // A source that is this very variable is read, and missed where it is blank.
        if secret.source(resolved.workload.platform)
            == Some(&Source::Variable {
                name: variable.clone(),
            })
        {
            return None;
        }
        return found
            .map(|(_, value)| Content::one(value.as_bytes()))
            .or_else(|| document.map(|document| Content::one(document.value.as_bytes())));
    }
    // The names in a service of Confidant are unknown before it is fetched. A webhook injects all
    // of them or none, so the first one shows it. For any other bundle, one variable that is set
    // says nothing about the rest.
    let prefix = secret.prefix.as_deref()?.to_uppercase();
    let platform = resolved.workload.platform;
    let by_webhook = matches!(
        secret.source(platform),
        None | Some(Source::Confidant { .. })
    );
    if !conventions(platform).injects_secrets || !by_webhook {
        return None;
    }
    let of_prefix: Vec<_> = (facts.vars().iter())
        .filter_map(|(name, value)| Some((name.to_str()?.strip_prefix(&prefix)?, value)))
        .collect();
    let texts: Vec<_> = (of_prefix.iter())
        .filter_map(|(name, value)| Some((*name, value.to_str()?)))
        .collect();
    let services = Services::of(&texts);
    let pairs: Vec<_> = (of_prefix.into_iter())
        // A Service of such a name is no secret.
        .filter(|(name, _)| !services.have(name))
        .map(|(name, value)| crate::secrets::Pair {
            key: name.to_lowercase(),
            value: crate::secrets::Value::new(value.as_bytes()),
            prefix: None,
        })
        .collect();
    (!pairs.is_empty()).then(|| Content::many(pairs))
}

type Fetched = BTreeMap<String, Result<Content, Why>>;

#[cfg(not(feature = "agent"))]
fn fetch(_: &Facts, _: &Resolved, wanted: Vec<(String, Source)>) -> Fetched {
    let none = |(name, _)| (name, Err(Why::NotFetched));
    wanted.into_iter().map(none).collect()
}

/// Has a helper process fetch them, and waits for it.
#[cfg(feature = "agent")]
fn fetch(facts: &Facts, resolved: &Resolved, wanted: Vec<(String, Source)>) -> Fetched {
    use crate::secrets::fetch::{Answer, request};

    let lost = |(name, _): &(String, Source)| (name.clone(), Err(Why::Lost));
    let mut fetched: Fetched = wanted.iter().map(lost).collect();
    let request = request(facts, resolved, wanted);
    let patience = std::time::Duration::from_secs(request.deadline_seconds.into());
    let answer: Option<Answer> =
        super::helper_process::ask(facts, ARGUMENT, &request, patience, None);
    let answer = answer.unwrap_or_default();
    fetched.extend(
        answer
            .found
            .into_iter()
            .map(|(name, content)| (name, Ok(content))),
    );
    let failures = answer.failures.into_iter();
    fetched.extend(failures.map(|failure| (failure.name, Err(failure.why))));
    fetched
}

/// Runs in the helper process.
#[cfg(feature = "agent")]
pub(crate) fn helper(arguments: &[OsString]) -> Result<u8, Error> {
    super::helper_process::run(ARGUMENT, arguments, crate::secrets::fetch::fetch)
}
