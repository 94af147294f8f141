//! The script's hyperparameters as argv: `--lr 0.1`, for argparse.

#[cfg(feature = "cli")]
use std::ffi::OsString;
#[cfg(feature = "cli")]
use std::fmt;

#[cfg(feature = "cli")]
use super::hyperparameters::{is_own, shown, value};
use super::python::{Dict, Text, Value, argument};
#[cfg(feature = "cli")]
use crate::error::{Error, ErrorKind, Fault};
#[cfg(feature = "cli")]
use crate::workload::Texts;

/// An argument that no program can be given.
#[cfg(feature = "cli")]
#[derive(Debug)]
struct NoArgument {
    name: String,
}

#[cfg(feature = "cli")]
impl fmt::Display for NoArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot pass the hyperparameter {} as an argument: it has a NUL byte or half a surrogate pair",
            self.name
        )
    }
}

#[cfg(feature = "cli")]
impl Fault for NoArgument {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Delivery
    }

    fn hint(&self) -> Option<String> {
        Some("correct it, or unset commands.hyperparameters_as_args".to_owned())
    }
}

/// The script's hyperparameters, names in the order of their code points.
///
/// # Errors
///
/// When one of them can be no argument.
#[cfg(feature = "cli")]
pub(crate) fn arguments(values: &Texts) -> Result<Vec<OsString>, Error> {
    let mut words = Vec::new();
    for (name, text) in values.iter().filter(|(name, _)| is_own(name)) {
        let pair = [option(&name.into()), argument(&value(text).0)];
        for word in pair {
            let word = word.into_string().filter(|word| !word.contains('\0'));
            words.push(OsString::from(
                word.ok_or_else(|| NoArgument { name: shown(name) })?,
            ));
        }
    }
    Ok(words)
}

/// The same, as `SM_USER_ARGS` has it.
pub(super) fn user_args(hyperparameters: &Dict) -> Value {
    let words = hyperparameters
        .sorted()
        .into_iter()
        .flat_map(|(name, value)| [Value::Text(option(name)), Value::Text(argument(value))]);
    Value::List(words.collect())
}

/// `--name`, `-n`, or nothing for a name that is nothing.
fn option(name: &Text) -> Text {
    let mut option = Text::from(match name.letters() {
        0 => "",
        1 => "-",
        _ => "--",
    });
    option.append(name);
    option
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use expect_test::expect;

    use super::{NoArgument, arguments};
    use crate::error::{reports, the_same};
    use crate::workload::Texts;

    fn texts(list: &[(&str, &str)]) -> Texts {
        list.iter().copied().collect()
    }

    #[test]
    fn arguments_are_the_toolkits() {
        let values = texts(&[
            ("lr", "0.10"),
            ("batch-size", "\"32\""),
            ("k", "null"),
            ("Z", "{\"b\": [1, \"x\"], \"a\": true}"),
            ("zip", "02139"),
            ("", "1"),
            ("sagemaker_program", "train.py"),
            ("_tuning_objective_metric", "loss"),
        ]);
        assert_eq!(
            arguments(&values).unwrap(),
            [
                "",
                "1",
                "-Z",
                "a=True,b=[1, 'x']",
                "--batch-size",
                "32",
                "-k",
                "",
                "--lr",
                "0.1",
                "--zip",
                "02139",
            ]
        );
    }

    #[test]
    fn what_can_be_no_argument_is_named_and_its_value_is_not() {
        let odd = ["canary\0", "\"canary\\u0000\"", "\"canary\\ud800\""];
        let refused = odd.map(|text| arguments(&texts(&[("note", text)])).unwrap_err().report());
        expect![[r#"
            lyftlearn-runtime: cannot pass the hyperparameter note as an argument: it has a NUL byte or half a surrogate pair
              hint: correct it, or unset commands.hyperparameters_as_args
        "#]].assert_eq(&the_same(refused));
        let name = "note".to_owned();
        expect![[r#"
            Delivery: cannot pass the hyperparameter note as an argument: it has a NUL byte or half a surrogate pair
              hint: correct it, or unset commands.hyperparameters_as_args
        "#]].assert_eq(&reports([NoArgument { name }]));
    }
}
