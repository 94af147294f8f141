//! Credentials as variables: one way to get them, and none that competes with it.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;

use crate::contract::{aws, delivered as names};
use crate::held::Directory;
use crate::workload::Secret;

/// How the program gets its credentials.
#[derive(Debug, Default)]
pub(crate) enum Presented {
    /// As the platform, or the user, made it.
    #[default]
    AsFound,
    /// By this runtime's endpoint.
    Offered(Offer),
    /// No source was found. If this is by design, SDKs are told so, and do not wait for a node that
    /// does not answer. Otherwise they may find the node's role.
    Absent { isolated: bool },
    /// This program gets no credentials, even if a source was found.
    Withheld,
}

/// Where the endpoint is, and what it wants to see.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) uri: String,
    pub(crate) token: Secret,
    /// Where a run directory holds the token, too.
    pub(crate) token_file: Option<PathBuf>,
    /// A profile leads to an identity, too: to the one that is served, or to another.
    pub(crate) instead_of_profile: bool,
    /// So does the configuration of boto.
    pub(crate) instead_of_boto: bool,
    /// Variables that choose a profile that no file has: most SDKs would end with that.
    pub(crate) lost_profiles: Vec<&'static str>,
}

/// What becomes of the environment.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) set: Vec<(String, OsString)>,
    /// Names that are in `set`, or gone.
    pub(crate) taken: Vec<String>,
}

/// Variables of every other source of credentials: in some SDK each of them precedes the endpoint.
/// They are removed, not blanked, because some SDKs use a blank value.
const COMPETITORS: &[&str] = &[
    aws::RELATIVE_URI,
    aws::ROLE_ARN,
    aws::WEB_IDENTITY_TOKEN_FILE,
    aws::ROLE_SESSION_NAME,
    aws::ACCESS_KEY_ID,
    aws::SECRET_ACCESS_KEY,
    aws::SESSION_TOKEN,
    aws::CREDENTIAL_EXPIRATION,
    aws::CREDENTIAL_FILE,
];

/// The same by other names, which some clients read as well.
const ALIASES: [&[&str]; 2] = [aws::OTHER_KEYS, aws::OTHER_ROLES];

/// `found` is every name and value that the program would have otherwise, low to high.
pub(crate) fn changes<'a>(
    presented: &Presented,
    found: impl Iterator<Item = (&'a OsStr, &'a OsStr)> + Clone,
) -> Changes {
    let mut changes = Changes::default();
    match presented {
        Presented::AsFound => return changes,
        Presented::Offered(offer) => {
            changes.offer(offer);
            changes.go_around_proxies(found.clone());
        }
        Presented::Absent { isolated: true } => changes.set(aws::METADATA_DISABLED, "true"),
        Presented::Absent { isolated: false } => {}
        Presented::Withheld => {
            changes.set(aws::METADATA_DISABLED, "true");
            let ours = [
                aws::FULL_URI,
                aws::AUTHORIZATION_TOKEN,
                aws::AUTHORIZATION_TOKEN_FILE,
            ];
            changes.take(COMPETITORS.iter().chain(&ours));
            changes.take(aws::PROFILES.iter().chain(ALIASES.into_iter().flatten()));
        }
    }
    changes.take_blank(found);
    changes
}

impl Changes {
    pub(super) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.set.push((name.to_owned(), value.into()));
    }

    pub(super) fn take<'a>(&mut self, names: impl IntoIterator<Item = &'a &'a str>) {
        self.taken
            .extend(names.into_iter().map(|name| (*name).to_owned()));
    }

    fn offer(&mut self, offer: &Offer) {
        self.set(aws::FULL_URI, &offer.uri);
        // Each is what some client reads, and neither is what all do.
        self.set(aws::AUTHORIZATION_TOKEN, offer.token.reveal());
        if let Some(path) = &offer.token_file {
            self.set(aws::AUTHORIZATION_TOKEN_FILE, path);
        }
        self.set(aws::METADATA_DISABLED, "true");
        if offer.instead_of_profile {
            // Unset, the usual places would count.
            self.set(aws::CONFIG_FILE, aws::NO_FILE);
            self.set(aws::SHARED_CREDENTIALS_FILE, aws::NO_FILE);
            self.set(aws::OTHER_PROFILES_FILE, aws::NO_FILE);
            self.take(&[
                aws::CONFIG_FILE,
                aws::SHARED_CREDENTIALS_FILE,
                aws::OTHER_PROFILES_FILE,
            ]);
            self.take(aws::PROFILES);
        }
        if offer.instead_of_boto {
            self.set(aws::BOTO_CONFIG, aws::NO_FILE);
            self.take(&[aws::BOTO_CONFIG]);
        }
        self.take(&offer.lost_profiles);
        self.take(COMPETITORS);
        self.take(ALIASES.into_iter().flatten());
        self.take(&[
            aws::FULL_URI,
            aws::AUTHORIZATION_TOKEN,
            aws::AUTHORIZATION_TOKEN_FILE,
        ]);
    }

    /// Some SDKs send the request, and the token with it, through a proxy.
    fn go_around_proxies<'a>(
        &mut self,
        found: impl Iterator<Item = (&'a OsStr, &'a OsStr)> + Clone,
    ) {
        let value_of = |wanted: &str| {
            let found = found.clone();
            found
                .filter(|(name, value)| *name == wanted && !value.is_empty())
                .last()
                .map(|(_, value)| value)
        };
        if !aws::PROXIES.iter().any(|name| value_of(name).is_some()) {
            return;
        }
        // Each stays what it says: some clients read the one, some the other.
        let either = aws::NO_PROXY.iter().find_map(|name| value_of(name));
        for name in aws::NO_PROXY {
            self.set(name, without_proxy(value_of(name).or(either)));
        }
        self.take(aws::NO_PROXY);
    }

    fn take_blank<'a>(&mut self, found: impl Iterator<Item = (&'a OsStr, &'a OsStr)>) {
        let blank = found
            .filter(|(_, value)| value.is_empty())
            .filter_map(|(name, _)| name.to_str())
            .filter(|name| name.starts_with(aws::PREFIX));
        self.taken.extend(blank.map(ToOwned::to_owned));
    }
}

/// A list of hosts that no proxy reaches, with ours at its end. A star that stands alone is all
/// hosts; in a list it would be none.
fn without_proxy(configured: Option<&OsStr>) -> OsString {
    let text = configured.map(OsStr::to_string_lossy).unwrap_or_default();
    if text.trim() == "*" {
        return configured.unwrap_or_default().to_owned();
    }
    let listed: Vec<&str> = text.split([',', ' ']).map(str::trim).collect();
    let missing = aws::NEVER_BY_PROXY
        .iter()
        .filter(|host| !listed.contains(host));
    let all = configured.into_iter().chain(missing.map(OsStr::new));
    all.collect::<Vec<_>>().join(OsStr::new(","))
}

/// Puts what clients without the environment need into the run directory. The token has no
/// newline: some would send it.
pub(crate) fn write(run: &Directory, uri: &str, token: &Secret) -> std::io::Result<PathBuf> {
    let directory = run.make(names::IDENTITY)?;
    for (name, text) in [
        (names::IDENTITY_TOKEN, token.reveal()),
        (names::IDENTITY_ENDPOINT, uri),
    ] {
        directory.write_by(name, rustix::fs::Mode::RUSR, |file| {
            file.write_all(text.as_bytes())
        })?;
    }
    Ok(directory.path().join(names::IDENTITY_TOKEN))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Changes, Offer, Presented, changes};
    use crate::workload::Secret;

    fn made(presented: &Presented, found: &[(&str, &str)]) -> Changes {
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (OsStr::new(name), OsStr::new(value)))
            .collect();
        changes(presented, found.into_iter())
    }

    fn offered() -> Presented {
        offered_beside_a_profile(false)
    }

    fn offered_beside_a_profile(instead_of_profile: bool) -> Presented {
        Presented::Offered(offer(instead_of_profile))
    }

    fn offer(instead_of_profile: bool) -> Offer {
        Offer {
            uri: "http://127.0.0.1:4711/v1/credentials".to_owned(),
            token: Secret::new("token".to_owned()),
            token_file: Some("/run/lyftlearn/aws/token".into()),
            instead_of_profile,
            instead_of_boto: false,
            lost_profiles: Vec::new(),
        }
    }

    #[test]
    fn broken_and_competing_sources_are_removed() {
        let found = [("AWS_PROFILE", "region"), ("AWS_DEFAULT_PROFILE", "dev")];
        let presented = Presented::Offered(Offer {
            instead_of_boto: true,
            lost_profiles: vec!["AWS_DEFAULT_PROFILE"],
            ..offer(false)
        });
        let changes = made(&presented, &found);
        assert_eq!(value(&changes, "BOTO_CONFIG"), Some("/dev/null"));
        let gone = |name: &str| changes.taken.iter().any(|taken| taken == name);
        for name in [
            "AWS_DEFAULT_PROFILE",
            "AWS_CREDENTIAL_FILE",
            "AWS_SECURITY_TOKEN",
            "AWS_ACCESS_KEY",
            "AWS_SECRET_KEY",
            "AWS_IAM_ROLE_ARN",
        ] {
            assert!(gone(name), "{name}");
        }
        assert!(!gone("AWS_PROFILE"));
        assert!(
            made(&Presented::Withheld, &found)
                .taken
                .contains(&"AWS_DEFAULT_PROFILE".into())
        );
    }

    #[test]
    fn the_users_proxy_settings_stay() {
        let proxy = ("HTTPS_PROXY", "http://proxy:3128");
        let ours =
            "127.0.0.1,localhost,::1,169.254.170.2,169.254.170.23,169.254.169.254,fd00:ec2::23";
        for (found, upper, lower) in [
            (vec![("NO_PROXY", "*")], "*".to_owned(), "*".to_owned()),
            (
                vec![("no_proxy", " * ")],
                " * ".to_owned(),
                " * ".to_owned(),
            ),
            (
                vec![("NO_PROXY", "a.b"), ("no_proxy", "c")],
                format!("a.b,{ours}"),
                format!("c,{ours}"),
            ),
            (
                vec![("NO_PROXY", "*"), ("no_proxy", "c")],
                "*".to_owned(),
                format!("c,{ours}"),
            ),
            (
                vec![("NO_PROXY", ""), ("no_proxy", "c")],
                format!("c,{ours}"),
                format!("c,{ours}"),
            ),
        ] {
            let found: Vec<_> = found.into_iter().chain([proxy]).collect();
            let changes = made(&offered(), &found);
            assert_eq!(
                value(&changes, "NO_PROXY"),
                Some(upper.as_str()),
                "{found:?}"
            );
            assert_eq!(
                value(&changes, "no_proxy"),
                Some(lower.as_str()),
                "{found:?}"
            );
        }
    }

    fn value<'a>(changes: &'a Changes, name: &str) -> Option<&'a str> {
        let (_, value) = changes.set.iter().find(|(set, _)| set == name)?;
        value.to_str()
    }

    #[test]
    fn one_means_is_named_and_the_others_are_gone() {
        let changes = made(&offered(), &[("AWS_PROFILE", ""), ("AWS_REGION", "eu")]);
        let set: Vec<&str> = changes.set.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            set,
            [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                "AWS_EC2_METADATA_DISABLED",
            ]
        );
        for name in [
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_ROLE_ARN",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_ROLE_SESSION_NAME",
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
        ] {
            assert!(changes.taken.iter().any(|taken| taken == name), "{name}");
        }
        assert!(!changes.taken.iter().any(|taken| taken == "AWS_REGION"));
        assert!(!format!("{:?}", offered()).contains("\"token\""));
    }

    #[test]
    fn a_profile_does_not_stand_before_the_endpoint() {
        let found = [("AWS_PROFILE", "own"), ("AWS_CONFIG_FILE", "/home/config")];
        let beside = made(&offered(), &found);
        assert_eq!(value(&beside, "AWS_CONFIG_FILE"), None);
        let hidden = offered_beside_a_profile(true);
        let changes = made(&hidden, &found);
        for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            assert_eq!(value(&changes, name), Some("/dev/null"));
        }
        assert!(changes.taken.iter().any(|taken| taken == "AWS_PROFILE"));
    }

    #[test]
    fn proxies_are_gone_around_where_there_are_any() {
        assert_eq!(value(&made(&offered(), &[]), "NO_PROXY"), None);
        let found = [("https_proxy", "http://proxy:3128")];
        let all =
            "127.0.0.1,localhost,::1,169.254.170.2,169.254.170.23,169.254.169.254,fd00:ec2::23";
        assert_eq!(value(&made(&offered(), &found), "NO_PROXY"), Some(all));
        assert_eq!(value(&made(&offered(), &found), "no_proxy"), Some(all));
        let found = [
            ("HTTP_PROXY", "http://proxy:3128"),
            ("no_proxy", ".internal, localhost"),
        ];
        assert_eq!(
            value(&made(&offered(), &found), "NO_PROXY"),
            Some(
                ".internal, localhost,127.0.0.1,::1,169.254.170.2,169.254.170.23,169.254.169.254,fd00:ec2::23"
            )
        );
    }

    #[test]
    fn inherited_sources_stay_and_absent_ones_are_reported() {
        let found = [("AWS_ROLE_ARN", "")];
        assert!(made(&Presented::AsFound, &found).taken.is_empty());
        for (isolated, expected) in [(true, Some("true")), (false, None)] {
            let absent = made(&Presented::Absent { isolated }, &found);
            assert_eq!(value(&absent, "AWS_EC2_METADATA_DISABLED"), expected);
            assert_eq!(absent.taken, ["AWS_ROLE_ARN"]);
        }
        let withheld = made(&Presented::Withheld, &[]);
        assert!(
            withheld
                .taken
                .iter()
                .any(|name| name == "AWS_CONTAINER_CREDENTIALS_FULL_URI")
        );
    }
}
