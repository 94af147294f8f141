//! The one line at the start: the platform, the ports that this runtime has bound, and the
//! problems.

use crate::contract::limits;
use crate::outcome::Skew;
use crate::problems::Problems;
use crate::stderr;
use crate::workload::Workload;

/// Writes it. `file` is the file for which a platform's word stands. `about_secrets` are problems
/// that only a start finds, so `inspect` does not show them.
pub(super) fn say<'a>(
    workload: &Workload,
    ports: &str,
    file: Option<String>,
    problems: impl Iterator<Item = &'a String>,
    about_secrets: Problems,
    skew: Option<&Skew>,
) {
    let job = workload.job.name.as_deref();
    let job = job.map_or_else(String::new, |name| format!(", job {name}"));
    let mut remarks: Vec<String> = file.into_iter().collect();
    remarks.extend(shown(problems));
    remarks.extend(first_of(about_secrets));
    remarks.extend(skew.and_then(in_words));
    let remarks: String = remarks.iter().map(|remark| format!("; {remark}")).collect();
    stderr::line(&format!(
        "lyftlearn-runtime: {} ({}), {}{job}{ports}{remarks}",
        workload.platform.as_str(),
        workload.flavor.as_str(),
        workload.role.as_str(),
    ));
}

/// The line has at most so many problems. `inspect` shows all of them, where a user can run it.
const TOLD: usize = 3;

fn shown<'a>(problems: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut all: Vec<String> = problems.cloned().collect();
    let more = all.len().saturating_sub(TOLD);
    all.truncate(TOLD);
    if more > 0 {
        let problems = if more == 1 { "problem" } else { "problems" };
        all.push(format!(
            "{more} more {problems}, see lyftlearn-runtime inspect"
        ));
    }
    all
}

/// Problems that no other command shows, so more of them are named.
fn first_of(about_secrets: Problems) -> Vec<String> {
    let more = about_secrets.len().saturating_sub(limits::MISTAKES);
    let mut all: Vec<String> = about_secrets.into_iter().take(limits::MISTAKES).collect();
    if more > 0 {
        all.push(format!("and {more} more about secrets"));
    }
    all
}

/// What the skew guard found, where there is something to say.
fn in_words(skew: &Skew) -> Option<String> {
    match (&skew.unreadable, skew.undeclared) {
        (Some(why), _) => Some(why.clone()),
        (None, 0) => None,
        (None, count) => {
            let first = skew.differences.first().map_or("", String::as_str);
            let differences = if count == 1 {
                "difference"
            } else {
                "differences"
            };
            Some(format!(
                "{count} {differences} from what trained the model, {first} first"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_of;

    #[test]
    fn of_many_problems_with_secrets_the_first_are_shown() {
        let problems = |count: usize| (0..count).map(|number| format!("secret {number}"));
        let shown = first_of(problems(900).collect());
        assert_eq!(shown[..20], problems(20).collect::<Vec<_>>());
        assert_eq!(shown[20..], ["and 880 more about secrets"]);
        assert_eq!(first_of(problems(20).collect()).len(), 20);
    }
}
