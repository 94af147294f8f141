//! The headers that an OTLP server wants to be shown, which may be passwords.

use percent_encoding::percent_decode_str;

use super::Plan;
use super::plan::{ignored, text};
use crate::metrics::routes::{Secrets, World};
use crate::problems::Problems;
use crate::workload::Secret;

pub(super) const PAIRS: &str = "name=value,name=value";
const NOT_SET: &str = "metrics.otlp.headers_variable names a variable that is not set";

/// A variable that may hold headers; the first one that does counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    name: String,
    /// Whether it is set without secrets.
    is_set: bool,
    /// Whether a setting names it, and it has to be there.
    is_asked: bool,
}

/// The headers as far as they are known without secrets, and the variables that secrets may set.
/// `usual` is where they are looked for unless a setting names a variable.
pub(super) fn found(
    world: &World<'_>,
    usual: &[&str],
    problems: &mut Problems,
) -> (Vec<(String, Secret)>, Vec<Variable>) {
    let asked = world.settings.otlp.headers_variable.as_deref();
    let is_asked = asked.is_some();
    let names = asked.map_or(usual.to_vec(), |name| vec![name]);
    let set = (names.iter()).find_map(|name| Some((*name, text(world, name)?)));
    let is_awaited = names.iter().any(|name| (world.may_be_secret)(name));
    if is_asked && set.is_none() && !is_awaited {
        problems.push(NOT_SET.to_owned());
    }
    let variables = names
        .iter()
        .filter(|_| is_awaited)
        .map(|name| Variable {
            name: (*name).to_owned(),
            is_set: set.as_ref().is_some_and(|(set, _)| set == name),
            is_asked,
        })
        .collect();
    let headers = set.map_or(Vec::new(), |(name, text)| {
        headers(name, Some(&text), problems)
    });
    (headers, variables)
}

/// The headers, now that there are secrets.
pub(super) fn reveal(plan: &mut Plan, secret: &Secrets<'_>, problems: &mut Problems) {
    let variables = std::mem::take(&mut plan.headers_in);
    for variable in &variables {
        match secret(&variable.name) {
            Some((value, overrides)) if overrides || !variable.is_set => {
                plan.headers = headers(&variable.name, value.to_str(), problems);
                return;
            }
            _ if variable.is_set => return,
            _ => {}
        }
    }
    if variables.iter().any(|variable| variable.is_asked) {
        problems.push(NOT_SET.to_owned());
    }
}

/// What a variable holds, which may be a password; `None` where it is no text.
pub(crate) fn headers(
    variable: &str,
    text: Option<&str>,
    problems: &mut Problems,
) -> Vec<(String, Secret)> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let pairs = text.and_then(pairs).filter(|pairs| {
        (pairs.iter()).all(|(name, value)| {
            name.bytes().all(token) && !value.chars().any(|letter| letter.is_control())
        })
    });
    let Some(pairs) = pairs else {
        ignored(problems, variable, PAIRS);
        return Vec::new();
    };
    (pairs.into_iter())
        .map(|(name, value)| (name, Secret::new(value)))
        .collect()
}

/// Names with values, as OpenTelemetry writes headers and attributes; `None` where they are not.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let written = text.split(',').filter(|pair| !pair.trim().is_empty());
    written
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{NOT_SET, Plan, Variable, reveal};
    use crate::problems::Problems;
    use crate::workload::Secret;

    /// What a collector is shown that is shown `before` where a variable is set already.
    #[track_caller]
    fn check(
        variables: &[(&str, bool)],
        secret: Option<(&str, &str, bool)>,
        expected: &str,
        problem: Option<&str>,
    ) {
        let variables = variables.iter().map(|(name, is_set)| Variable {
            name: (*name).to_owned(),
            is_set: *is_set,
            is_asked: *name == "KEY",
        });
        let mut plan = Plan {
            url: "http://collector:4318/v1/metrics".to_owned(),
            headers: vec![("key".to_owned(), Secret::new("before".to_owned()))],
            headers_in: variables.collect(),
            seconds: 60,
            timeout_milliseconds: 1_000,
            resource: Vec::new(),
        };
        let found = |name: &str| {
            let (known, value, overrides) = secret?;
            (known == name).then_some((OsStr::new(value), overrides))
        };
        let mut problems = Problems::default();
        reveal(&mut plan, &found, &mut problems);
        let shown = plan.headers.iter().map(|(_, value)| value.reveal());
        assert_eq!(shown.collect::<Vec<_>>().join(","), expected);
        assert_eq!(*problems, *problem.as_slice());
    }

    #[test]
    fn a_secret_is_shown_as_the_program_would_find_it() {
        let by_secret = |overrides| Some(("KEY", "key=secret\n", overrides));
        check(&[("KEY", false)], by_secret(false), "secret", None);
        check(&[("KEY", true)], by_secret(false), "before", None);
        check(&[("KEY", true)], by_secret(true), "secret", None);
        // It was not there after all.
        check(&[("KEY", false)], None, "before", Some(NOT_SET));
        let odd = "KEY is ignored: expected name=value,name=value";
        check(
            &[("KEY", false)],
            Some(("KEY", "secret", false)),
            "",
            Some(odd),
        );
        // The variable for metrics precedes the general one, and both are optional.
        let own = Some(("OWN", "key=secret", false));
        let all = Some(("ALL", "key=secret", false));
        check(&[("OWN", false), ("ALL", true)], own, "secret", None);
        check(&[("OWN", true), ("ALL", false)], all, "before", None);
        check(&[("OWN", false), ("ALL", false)], None, "before", None);
    }
}
