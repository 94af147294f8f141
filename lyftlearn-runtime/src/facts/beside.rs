//! The environment with which this container's runtime was started, for processes that start later.
//! A script in front of the runtime may have activated an environment (conda, a virtual one), which
//! `kubectl exec` does not have.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::holder::Holder;
use super::runtime::note_of;
use super::{Facts, is_of_one_process};
use crate::contract::limits;
use crate::held::Directory;

/// What a shell sets about itself.
const OF_A_SHELL: [&str; 4] = ["_", "OLDPWD", "PWD", "SHLVL"];

type Variables = Vec<(OsString, OsString)>;

impl Facts {
    /// The same with the environment that the runtime which has `run` was started with; as it
    /// is where that is not for this user to see.
    pub(crate) fn as_at_the_start(&self, run: &Directory) -> Self {
        let found = runtime_with(run).and_then(|runtime| environment(&runtime));
        Self {
            vars: found.unwrap_or_else(|| self.vars.clone()),
            ..self.clone()
        }
    }

    /// The same with the variables that this process was not given and that runtime was. A
    /// value of its that extends the one given (`PATH=/env/bin:$PATH`) counts, too.
    pub(crate) fn with_those_of(&self, run: &Directory) -> Self {
        let theirs = runtime_with(run).and_then(|runtime| {
            let of_the_program = |child: &Holder| child.user() == Some(user_of(run));
            environment(&runtime).or_else(|| {
                let children = runtime.children().into_iter();
                children
                    .filter(of_the_program)
                    .find_map(|child| environment(&child))
            })
        });
        let mut vars = self.vars.clone();
        for (name, value) in theirs.unwrap_or_default() {
            if is_of_one_process(&name) || OF_A_SHELL.iter().any(|known| name == *known) {
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

/// The runtime that has `run`. If the directory is another user's, that user may have written any
/// number into the note: then the process must be that user's, or prove that it is the runtime.
fn runtime_with(run: &Directory) -> Option<Holder> {
    let process = Holder::of(note_of(run)?.pid)?;
    let is_trusted = run.owner().is_none()
        || process.user() == Some(user_of(run))
        || process.is_run() && process.has(run);
    is_trusted.then_some(process)
}

/// The program's user.
fn user_of(run: &Directory) -> u32 {
    let own = || rustix::process::geteuid().as_raw();
    run.owner().map_or_else(own, |owner| owner.uid)
}

fn environment(process: &Holder) -> Option<Variables> {
    let bytes = process.read("environ", limits::ENVIRONMENT_BYTES as u64)?;
    let pair = |variable: &[u8]| {
        let at = variable.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some((text(&variable[..at]), text(&variable[at + 1..])))
    };
    let variables: Variables = bytes.split(|byte| *byte == 0).filter_map(pair).collect();
    // A process that cannot be looked into may show an empty file.
    (!variables.is_empty()).then_some(variables)
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
