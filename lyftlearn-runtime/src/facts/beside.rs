//! The environment with which this container's runtime was started, for processes that start later.
//! A script in front of the runtime may have activated an environment (conda, a virtual one), which
//! `kubectl exec` does not have.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::Facts;
use super::runtime::note_of;
use crate::contract::limits;
use crate::held::Directory;

/// What a shell sets about itself.
const OF_A_SHELL: &[&str] = &["_", "OLDPWD", "PWD", "SHLVL"];

type Variables = Vec<(OsString, OsString)>;

impl Facts {
    /// The same with the environment that the runtime which has `run` was started with; as it
    /// is where that is not for this user to see.
    pub(crate) fn as_at_the_start(&self, run: &Directory) -> Self {
        let found = note_of(run).and_then(|note| environment(note.pid));
        Self {
            vars: found.unwrap_or_else(|| self.vars.clone()),
            ..self.clone()
        }
    }

    /// The same with the variables that this process was not given and that runtime was. A
    /// value of its that extends the one given (`PATH=/env/bin:$PATH`) counts, too.
    pub(crate) fn with_those_of(&self, run: &Directory) -> Self {
        let theirs = note_of(run).and_then(|note| {
            environment(note.pid).or_else(|| children(note.pid).into_iter().find_map(environment))
        });
        let mut vars = self.vars.clone();
        for (name, value) in theirs.unwrap_or_default() {
            if OF_A_SHELL.iter().any(|of_a_shell| name == *of_a_shell) {
                continue;
            }
            match vars.iter_mut().find(|(given, _)| *given == name) {
                None => vars.push((name, value)),
                Some((_, given)) if extends(&value, given) => *given = value,
                Some(_) => {}
            }
        }
        Self {
            vars,
            ..self.clone()
        }
    }
}

/// Whether a list of paths has another one behind what it begins with.
fn extends(value: &OsStr, given: &OsStr) -> bool {
    let before = value.as_bytes().strip_suffix(given.as_bytes());
    !given.is_empty() && before.is_some_and(|before| before.ends_with(b":"))
}

fn environment(pid: u32) -> Option<Variables> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    let mut file = file.take(limits::ENVIRONMENT_BYTES as u64);
    file.read_to_end(&mut bytes).ok()?;
    let pair = |variable: &[u8]| {
        let at = variable.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some((text(&variable[..at]), text(&variable[at + 1..])))
    };
    let variables: Variables = bytes.split(|byte| *byte == 0).filter_map(pair).collect();
    // A process that cannot be looked into may show an empty file.
    (!variables.is_empty()).then_some(variables)
}

/// Of a process that has one thread, as PID 1 has.
fn children(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let numbers = children.split_ascii_whitespace();
    numbers.filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::extends;

    #[test]
    fn a_list_that_goes_on_with_the_given_one_extends_it() {
        let check = |value: &str, given: &str| extends(OsStr::new(value), OsStr::new(given));
        assert!(check("/env/bin:/usr/bin:/bin", "/usr/bin:/bin"));
        assert!(!check("/usr/bin:/bin", "/usr/bin:/bin"));
        assert!(!check("/env/usr/bin", "/usr/bin"));
        assert!(!check("anything", ""));
        assert!(!check("/usr/bin:/bin:/env/bin", "/usr/bin:/bin"));
    }
}
