//! Profiles, as SDKs find them: the variables that choose one, and the files that hold it.

use std::borrow::Cow;

use crate::contract::{aws, limits};
use crate::facts::Facts;

/// The chosen profile that has credentials, or leads to them. If several variables choose one, the
/// first whose profile has them. An unreadable file counts as having them: the SDK that opens it
/// reports the error.
pub(crate) fn leading(facts: &Facts) -> Option<String> {
    let files = Files::read(facts, None);
    let mut chosen = chosen(facts).map(|(_, name)| name).peekable();
    let usual = chosen.peek().is_none().then_some(Cow::Borrowed("default"));
    let mut all = chosen.chain(usual);
    let found = all.find(|name| files.any(name, leads_to_an_identity))?;
    Some(found.into_owned())
}

/// Files that give clients an identity before the endpoint does.
#[cfg(feature = "cli")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Competing {
    /// A profile.
    pub(crate) profile: bool,
    /// The configuration of boto, which botocore reads as well.
    pub(crate) boto: bool,
}

#[cfg(feature = "cli")]
impl Competing {
    pub(crate) fn here(facts: &Facts) -> Self {
        let boto = match facts.text(aws::BOTO_CONFIG) {
            Some(path) => vec![path.into_owned()],
            None => {
                let home = facts.text(aws::HOME).into_iter();
                let own = home.map(|home| format!("{home}/{}", aws::USUAL_BOTO_CONFIG));
                own.chain([aws::BOTO_CONFIG_OF_ALL.to_owned()]).collect()
            }
        };
        let keys = |path: &String| {
            let file = Profiles::at(facts, path);
            matches!(file, Profiles::Of(_)) && leads_to_an_identity(&file, "Credentials")
        };
        Self {
            profile: leading(facts).is_some(),
            boto: boto.iter().any(keys),
        }
    }
}

/// Variables that choose a profile that no file has: botocore ends with that, whatever other
/// identity there is. `home` is the program's, where that is not this process's.
#[cfg(feature = "cli")]
pub(crate) fn of_nowhere(facts: &Facts, home: Option<&str>) -> Vec<&'static str> {
    let mut chosen = chosen(facts).peekable();
    if chosen.peek().is_none() {
        return Vec::new();
    }
    let files = Files::read(facts, home);
    chosen
        .filter(|(_, name)| !files.any(name, has))
        .map(|(variable, _)| variable)
        .collect()
}

fn chosen(facts: &Facts) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
    let variables = aws::PROFILES.iter();
    variables.filter_map(|variable| Some((*variable, facts.text(variable)?)))
}

/// One file of profiles; what it is not known to hold it may hold.
enum Profiles {
    /// Its text.
    Of(String),
    /// It may not be read.
    Unknown,
    /// It is not known where it is: without a HOME, SDKs look where the table of users says.
    Somewhere,
}

struct Files {
    credentials: Profiles,
    config: Profiles,
}

impl Profiles {
    fn at(facts: &Facts, path: &str) -> Self {
        match facts.file(path, limits::DOCUMENT_BYTES) {
            Ok(bytes) => {
                let bytes = bytes.unwrap_or_default();
                Self::Of(String::from_utf8_lossy(&bytes).into_owned())
            }
            Err(_) => Self::Unknown,
        }
    }
}

impl Files {
    fn read(facts: &Facts, home: Option<&str>) -> Self {
        let home = home.map(Cow::Borrowed).or_else(|| facts.text(aws::HOME));
        let below = |usual: &str| {
            let home = home.as_deref()?;
            Some(format!("{}/{usual}", home.trim_end_matches('/')))
        };
        let file = |variable: &str, usual: &str| {
            let path = match facts.text(variable) {
                Some(path) => match path.strip_prefix("~/") {
                    Some(rest) => below(rest),
                    None => Some(path.into_owned()),
                },
                None => below(usual),
            };
            path.map_or(Profiles::Somewhere, |path| Profiles::at(facts, &path))
        };
        Self {
            credentials: file(aws::SHARED_CREDENTIALS_FILE, aws::CREDENTIALS_FILE),
            config: file(aws::CONFIG_FILE, aws::USUAL_CONFIG_FILE),
        }
    }

    /// Whether a file has it, as `test` sees the lines of its section.
    fn any(&self, profile: &str, test: fn(&Profiles, &str) -> bool) -> bool {
        let in_config = match profile {
            "default" => profile.to_owned(),
            _ => format!("profile {profile}"),
        };
        test(&self.credentials, profile)
            || test(&self.config, &in_config)
            // botocore takes both for the usual one.
            || (profile == "default" && test(&self.config, "profile default"))
    }
}

#[cfg(feature = "cli")]
fn has(profiles: &Profiles, section: &str) -> bool {
    match profiles {
        Profiles::Unknown | Profiles::Somewhere => true,
        Profiles::Of(text) => text.lines().any(|line| is_section(line, section)),
    }
}

/// Only the names of keys are looked at.
fn leads_to_an_identity(profiles: &Profiles, section: &str) -> bool {
    let text = match profiles {
        // Nothing is known of it but that it is there.
        Profiles::Unknown => return true,
        Profiles::Somewhere => return false,
        Profiles::Of(text) if text.starts_with(aws::OWN_PROFILE) => return false,
        Profiles::Of(text) => text,
    };
    let mut inside = false;
    text.lines().any(|line| {
        if line.trim_start().starts_with('[') {
            inside = is_section(line, section);
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        inside && aws::IDENTITY_KEYS.contains(&key)
    })
}

/// `[ profile  dev ]` is `[profile dev]`; a name may have quotes.
fn is_section(line: &str, section: &str) -> bool {
    let name = line.trim().strip_prefix('[');
    let name = name.and_then(|line| line.split(']').next());
    name.is_some_and(|name| {
        let words = name.split_whitespace();
        words
            .map(|word| word.trim_matches(['"', '\'']))
            .eq(section.split_whitespace())
    })
}

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests {
    use super::{Competing, leading, of_nowhere};
    use crate::facts::Facts;

    fn home(files: &[(&str, &str)]) -> (tempfile::TempDir, Facts) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let facts = Facts::empty().with_root(root.path()).with_var("HOME", "/h");
        (root, facts)
    }

    #[test]
    fn a_profile_that_no_file_has_is_known_by_each_variable_that_names_it() {
        let (_root, facts) = home(&[
            ("h/.aws/config", "[profile known]\nregion = eu\n[ignored]\n"),
            ("h/.aws/credentials", "[keys]\naws_access_key_id = x\n"),
        ]);
        for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
            for (name, lost) in [
                ("known", false),
                ("keys", false),
                ("ignored", true),
                ("dev", true),
                ("default", true),
                ("", false),
            ] {
                let facts = facts.clone().with_var(variable, name);
                let expected: &[&str] = if lost { &[variable] } else { &[] };
                assert_eq!(of_nowhere(&facts, None), expected, "{variable}={name}");
            }
        }
        let both = (facts.clone())
            .with_var("AWS_PROFILE", "known")
            .with_var("AWS_DEFAULT_PROFILE", "dev");
        assert_eq!(of_nowhere(&both, None), ["AWS_DEFAULT_PROFILE"]);
        assert!(of_nowhere(&facts, None).is_empty());
    }

    #[test]
    fn files_lie_where_variables_and_the_programs_home_say() {
        let (_root, facts) = home(&[
            ("else/config", "[ profile  dev ]\n"),
            ("other/.aws/config", "[profile app]\n"),
            ("h/mine", "[profile tilde]\n"),
        ]);
        let dev = facts.clone().with_var("AWS_PROFILE", "dev");
        assert_eq!(of_nowhere(&dev, None), ["AWS_PROFILE"]);
        let elsewhere = dev.with_var("AWS_CONFIG_FILE", "/else/config");
        assert!(of_nowhere(&elsewhere, None).is_empty());
        let app = facts.clone().with_var("AWS_PROFILE", "app");
        assert_eq!(of_nowhere(&app, None), ["AWS_PROFILE"]);
        assert!(of_nowhere(&app, Some("/other")).is_empty());
        let tilde = (facts.clone())
            .with_var("AWS_PROFILE", "tilde")
            .with_var("AWS_CONFIG_FILE", "~/mine");
        assert!(of_nowhere(&tilde, None).is_empty());
        // A directory takes the place of an unreadable file.
        let (_root, facts) = home(&[("h/.aws/config/x", "")]);
        let dev = facts.with_var("AWS_PROFILE", "dev");
        assert!(of_nowhere(&dev, None).is_empty());
    }

    #[test]
    fn botos_configuration_competes_where_it_has_keys() {
        let keys = "[Boto]\ndebug = 0\n[Credentials]\naws_access_key_id = x\n";
        let (_root, facts) = home(&[("h/.boto", keys), ("other", "[Credentials]\ngs_x = y\n")]);
        assert!(Competing::here(&facts).boto);
        let other = facts.with_var("BOTO_CONFIG", "/other");
        assert!(!Competing::here(&other).boto);
        let (_root, facts) = home(&[("etc/boto.cfg", keys)]);
        assert!(Competing::here(&facts).boto);
        assert!(!Competing::here(&facts).profile);
    }

    #[test]
    fn the_profile_that_leads_to_an_identity_is_found_by_either_variable() {
        let (_root, facts) = home(&[(
            "h/.aws/config",
            "[profile region]\nregion = eu\n[profile 'keys']\naws_access_key_id = x\n",
        )]);
        assert_eq!(leading(&facts), None);
        for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
            let keys = facts.clone().with_var(variable, "keys");
            assert_eq!(leading(&keys).as_deref(), Some("keys"));
            let region = facts.clone().with_var(variable, "region");
            assert_eq!(leading(&region), None);
        }
    }
}
