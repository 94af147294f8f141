//! The program's whole environment: what was found, with ours in it.

use std::ffi::{OsStr, OsString};

use super::fault::DeliveryFault;
use crate::contract::{delivered, limits};
use crate::error::Error;

/// Lays `ours` over `found`: order kept, reserved names that this start does not
/// set removed, new ones at the end. A name that is not reserved to us keeps the value
/// that was found, if it is not blank. Sizes are checked here, so that "argument
/// list too long" never reaches a user.
///
/// # Errors
///
/// When a variable or the whole is over the kernel's limit.
pub fn environment(
    found: &[(OsString, OsString)],
    ours: &[(String, OsString)],
    argv: &[OsString],
) -> Result<Vec<(OsString, OsString)>, Error> {
    let mut rest: Vec<&(String, OsString)> = ours.iter().collect();
    let mut merged = Vec::with_capacity(found.len() + ours.len());
    for (name, value) in found {
        match rest.iter().position(|(known, _)| OsStr::new(known) == name) {
            Some(at) => {
                let ours = rest.remove(at).1.clone();
                let theirs = !reserved(name) && !value.is_empty();
                merged.push((name.clone(), if theirs { value.clone() } else { ours }));
            }
            None if reserved(name) => {}
            None => merged.push((name.clone(), value.clone())),
        }
    }
    merged.extend(
        rest.into_iter()
            .map(|(name, value)| (OsString::from(name), value.clone())),
    );
    check_sizes(&merged, argv)?;
    Ok(merged)
}

fn reserved(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        delivered::RESERVED.contains(&name) || name.starts_with(delivered::CHANNEL_PREFIX)
    })
}

fn check_sizes(vars: &[(OsString, OsString)], argv: &[OsString]) -> Result<(), Error> {
    const POINTER: usize = size_of::<usize>();
    let mut total: usize = argv.iter().map(|word| word.len() + 1 + POINTER).sum();
    for (name, value) in vars {
        // NAME, =, value and the NUL.
        let bytes = name.len() + value.len() + 2;
        if bytes > limits::ENVIRONMENT_STRING_BYTES {
            let name = name.to_string_lossy().into_owned();
            let limit = limits::ENVIRONMENT_STRING_BYTES;
            return Err(DeliveryFault::VariableTooLong { name, bytes, limit }.into());
        }
        total += bytes + POINTER;
    }
    for word in argv {
        let bytes = word.len() + 1;
        if bytes > limits::ENVIRONMENT_STRING_BYTES {
            let limit = limits::ENVIRONMENT_STRING_BYTES;
            return Err(DeliveryFault::ArgumentTooLong { bytes, limit }.into());
        }
    }
    let limit = total_limit();
    if total > limit {
        return Err(DeliveryFault::EnvironmentTooLarge {
            bytes: total,
            limit,
        }
        .into());
    }
    Ok(())
}

/// A quarter of the stack's limit, at least 32 pages and at most 6 MiB (execve(2),
/// "Limits on size of arguments and environment"). The C library's own answer is a
/// constant where it is musl.
fn total_limit() -> usize {
    let stack = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
    let quarter = stack.map_or(usize::MAX, |bytes| {
        usize::try_from(bytes / 4).unwrap_or(usize::MAX)
    });
    quarter.clamp(limits::ENVIRONMENT_STRING_BYTES, limits::ENVIRONMENT_BYTES)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::environment;

    fn vars(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        list.iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    #[test]
    fn order_is_kept_ours_are_replaced_in_place_and_leftovers_go() {
        let found = vars(&[
            ("Z", "1"),
            ("LYFTLEARN_ROLE", "outer"),
            ("LYFTLEARN_CHANNEL_OLD", "/old"),
            ("LYFTLEARN_RUNTIME_LOG", "off"),
            ("LYFTLEARN_MINE", "kept"),
            ("A", "2"),
        ]);
        let ours = [
            ("LYFTLEARN_ROLE".to_owned(), "job".into()),
            ("LYFTLEARN_NODES".to_owned(), "1".into()),
        ];
        assert_eq!(
            environment(&found, &ours, &[]).unwrap(),
            vars(&[
                ("Z", "1"),
                ("LYFTLEARN_ROLE", "job"),
                ("LYFTLEARN_RUNTIME_LOG", "off"),
                ("LYFTLEARN_MINE", "kept"),
                ("A", "2"),
                ("LYFTLEARN_NODES", "1"),
            ])
        );
    }

    #[test]
    fn a_name_that_is_not_reserved_keeps_what_was_found() {
        let found = vars(&[("AWS_REGION", "eu-west-1"), ("MASTER_ADDR", "")]);
        let ours = [
            ("AWS_REGION".to_owned(), "us-east-1".into()),
            ("AWS_DEFAULT_REGION".to_owned(), "us-east-1".into()),
            ("MASTER_ADDR".to_owned(), "algo-1".into()),
        ];
        assert_eq!(
            environment(&found, &ours, &[]).unwrap(),
            vars(&[
                ("AWS_REGION", "eu-west-1"),
                ("MASTER_ADDR", "algo-1"),
                ("AWS_DEFAULT_REGION", "us-east-1"),
            ])
        );
    }

    #[track_caller]
    fn refused(found: &[(OsString, OsString)], report: &str) {
        let shown = environment(found, &[], &[]).unwrap_err().report();
        assert!(shown.starts_with(report), "{shown}");
        assert!(shown.ends_with(
            "hint: deliver large values as a file in the config directory, and read that\n"
        ));
        assert!(!shown.contains("xxxx"), "{shown}");
    }

    #[test]
    fn a_variable_over_the_kernels_limit_is_refused_by_name_and_size() {
        let just_fits = "x".repeat(131_072 - "BIG=".len() - 1);
        environment(&vars(&[("BIG", &just_fits)]), &[], &[]).unwrap();
        refused(
            &vars(&[("BIG", &format!("{just_fits}x"))]),
            "lyftlearn-runtime: cannot pass $BIG on: 131073 bytes with its name, the kernel takes 131072\n",
        );
    }

    #[test]
    fn an_environment_over_the_kernels_limit_is_refused_by_size() {
        let value = "x".repeat(100_000);
        let many: Vec<(OsString, OsString)> = (0..1000)
            .map(|number| (format!("V{number}").into(), value.clone().into()))
            .collect();
        refused(
            &many,
            "lyftlearn-runtime: cannot pass the environment on: 100",
        );
    }
}
