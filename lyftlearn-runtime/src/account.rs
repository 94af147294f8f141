//! The program's user, as `docker run --user` takes it: `NAME`, `UID`, `NAME:GROUP`,
//! `UID:GID`.

use std::fmt;

use crate::contract::{limits, linux};
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;
use crate::held::Owner;
use crate::init::User;

/// A user to become, and where that one is at home.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) home: String,
}

impl Account {
    /// The owner of the program's files.
    pub(crate) fn owner(&self) -> Owner {
        let User { uid, gid, .. } = self.user;
        Owner { uid, gid }
    }
}

/// As engines have it. 4294967295 is what the kernel takes for "as it is", which is root.
const LARGEST: u32 = i32::MAX.unsigned_abs();

#[derive(Debug)]
enum UserFault {
    UnknownUser,
    UnknownGroup,
    NoGroup,
    TooLarge,
    TooManyGroups,
    NotRoot { uid: u32, gid: u32 },
}

impl fmt::Display for UserFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownUser => write!(
                f,
                "cannot use the setting user: no such user in {}",
                linux::PASSWD
            ),
            Self::UnknownGroup => write!(
                f,
                "cannot use the setting user: no such group in {}",
                linux::GROUP
            ),
            Self::NoGroup => write!(
                f,
                "cannot use the setting user: a number without an entry in {} needs a group",
                linux::PASSWD
            ),
            Self::TooLarge => write!(f, "cannot use the setting user: a number is over {LARGEST}"),
            Self::TooManyGroups => write!(
                f,
                "cannot use the setting user: it is in more than {} groups of {}",
                limits::GROUPS,
                linux::GROUP
            ),
            Self::NotRoot { uid, gid } => {
                write!(f, "cannot become user {uid}:{gid}: not started as root")
            }
        }
    }
}

impl Fault for UserFault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotRoot { .. } => ErrorKind::System,
            _ => ErrorKind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::UnknownUser | Self::UnknownGroup => {
                    "give numbers, user = \"1000:100\", or add the name to the image"
                }
                Self::TooLarge => "the value may come from a negative number; use numbers such as user = \"1000:100\"",
                Self::NoGroup => "give the group as well, user = \"1000:100\"",
                Self::TooManyGroups => "give the group that it needs, user = \"NAME:GROUP\"",
                Self::NotRoot { .. } => "start the container as root; or leave user out of the image, and set LYFTLEARN_RUNTIME_USER only where it starts as root",
            }
            .to_owned(),
        )
    }
}

/// The account under which the program runs; `None` if it is the account of this process.
pub(crate) fn account(facts: &Facts, setting: Option<&str>) -> Result<Option<Account>, Error> {
    let Some(setting) = setting else {
        return Ok(None);
    };
    let account = read(facts, setting)?;
    let User { uid, gid, .. } = account.user;
    let own = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    match own {
        own if own == (uid, gid) => Ok(None),
        (0, _) => Ok(Some(account)),
        _ => Err(UserFault::NotRoot { uid, gid }.into()),
    }
}

fn read(facts: &Facts, setting: &str) -> Result<Account, Error> {
    let (name, group) = match setting.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (setting, None),
    };
    let passwd = table(facts, linux::PASSWD)?;
    let groups = table(facts, linux::GROUP)?;
    let number = name.parse::<u32>().ok();
    // name:password:UID:GID:comment:home:shell
    let entry = rows(&passwd)
        .find(|row| row.first() == Some(&name) || (number.is_some() && field(row, 2) == number));
    let uid = entry
        .as_ref()
        .and_then(|row| field(row, 2))
        .or(number)
        .ok_or(UserFault::UnknownUser)?;
    let gid = match group {
        // name:password:GID:members
        Some(group) => group
            .parse()
            .ok()
            .or_else(|| field(&rows(&groups).find(|row| row.first() == Some(&group))?, 2))
            .ok_or(UserFault::UnknownGroup)?,
        None => entry
            .as_ref()
            .and_then(|row| field(row, 3))
            .ok_or(UserFault::NoGroup)?,
    };
    if uid > LARGEST || gid > LARGEST {
        return Err(UserFault::TooLarge.into());
    }
    // A group that is given is all there is, as with docker run.
    let member = entry.as_ref().and_then(|row| row.first().copied());
    let supplementary = rows(&groups)
        .filter(|row| {
            group.is_none()
                && row.get(3).is_some_and(|members| {
                    member.is_some_and(|member| members.split(',').any(|name| name == member))
                })
        })
        .filter_map(|row| field(&row, 2))
        .filter(|group| *group <= LARGEST);
    let mut all = vec![gid];
    all.extend(
        supplementary
            .filter(|other| *other != gid)
            .take(limits::GROUPS + 1),
    );
    if all.len() > limits::GROUPS {
        return Err(UserFault::TooManyGroups.into());
    }
    let home = entry
        .and_then(|row| row.get(5).map(|home| (*home).to_owned()))
        .filter(|home| !home.is_empty())
        .unwrap_or_else(|| "/".to_owned());
    Ok(Account {
        user: User {
            uid,
            gid,
            groups: all,
        },
        home,
    })
}

fn table(facts: &Facts, path: &str) -> Result<String, Error> {
    let bytes = facts.file(path, limits::DOCUMENT_BYTES)?;
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().map(|line| line.split(':').collect())
}

fn field(row: &[&str], at: usize) -> Option<u32> {
    row.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Account, UserFault, read};
    use crate::error::reports;
    use crate::facts::Facts;
    use crate::init::User;

    #[test]
    fn every_fault_has_its_report() {
        expect![[r#"
            Settings: cannot use the setting user: no such user in /etc/passwd
              hint: give numbers, user = "1000:100", or add the name to the image
            Settings: cannot use the setting user: no such group in /etc/group
              hint: give numbers, user = "1000:100", or add the name to the image
            Settings: cannot use the setting user: a number without an entry in /etc/passwd needs a group
              hint: give the group as well, user = "1000:100"
            Settings: cannot use the setting user: a number is over 2147483647
              hint: the value may come from a negative number; use numbers such as user = "1000:100"
            Settings: cannot use the setting user: it is in more than 10000 groups of /etc/group
              hint: give the group that it needs, user = "NAME:GROUP"
            System: cannot become user 1000:100: not started as root
              hint: start the container as root; or leave user out of the image, and set LYFTLEARN_RUNTIME_USER only where it starts as root
        "#]].assert_eq(&reports([
            UserFault::UnknownUser,
            UserFault::UnknownGroup,
            UserFault::NoGroup,
            UserFault::TooLarge,
            UserFault::TooManyGroups,
            UserFault::NotRoot {
                uid: 1000,
                gid: 100,
            },
        ]));
    }

    fn image() -> (tempfile::TempDir, Facts) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = "root:x:0:0::/root:/bin/sh\nml:x:1000:100:ML:/home/ml:/bin/bash\n";
        std::fs::write(root.path().join("etc/passwd"), passwd).unwrap();
        let group = "users:x:100:\nvideo:x:44:other,ml\nml:x:1000:\n";
        std::fs::write(root.path().join("etc/group"), group).unwrap();
        let facts = Facts::empty().with_root(root.path());
        (root, facts)
    }

    #[track_caller]
    fn check(setting: &str, uid: u32, gid: u32, groups: &[u32], home: &str) {
        let (_root, facts) = image();
        let expected = Account {
            user: User {
                uid,
                gid,
                groups: groups.to_vec(),
            },
            home: home.to_owned(),
        };
        assert_eq!(read(&facts, setting).unwrap(), expected);
    }

    #[test]
    fn names_and_numbers_are_looked_up() {
        check("ml", 1000, 100, &[100, 44], "/home/ml");
        check("1000", 1000, 100, &[100, 44], "/home/ml");
        check("1000:100", 1000, 100, &[100], "/home/ml");
        check("ml:video", 1000, 44, &[44], "/home/ml");
        check("4711:100", 4711, 100, &[100], "/");
    }

    #[track_caller]
    fn refused(setting: &str, report: Expect) {
        let (_root, facts) = image();
        let shown = read(&facts, setting).unwrap_err().report();
        report.assert_eq(&shown);
    }

    #[test]
    fn no_number_means_as_it_is() {
        refused(
            "4294967295:100",
            expect![[r#"
                lyftlearn-runtime: cannot use the setting user: a number is over 2147483647
                  hint: the value may come from a negative number; use numbers such as user = "1000:100"
            "#]],
        );
        refused(
            "1000:4294967295",
            expect![[r#"
                lyftlearn-runtime: cannot use the setting user: a number is over 2147483647
                  hint: the value may come from a negative number; use numbers such as user = "1000:100"
            "#]],
        );
        refused(
            "2147483648:100",
            expect![[r#"
                lyftlearn-runtime: cannot use the setting user: a number is over 2147483647
                  hint: the value may come from a negative number; use numbers such as user = "1000:100"
            "#]],
        );
        check(
            "2147483647:2147483647",
            2_147_483_647,
            2_147_483_647,
            &[2_147_483_647],
            "/",
        );
    }

    #[test]
    fn groups_without_end_are_refused() {
        let (root, facts) = image();
        let of = |count: u32| {
            let group = (0..count).map(|n| format!("g{n}:x:{}:ml\n", n + 1_000));
            std::fs::write(root.path().join("etc/group"), group.collect::<String>()).unwrap();
            read(&facts, "ml")
        };
        // Its own comes first.
        assert_eq!(of(9_999).unwrap().user.groups.len(), 10_000);
        expect![[r#"
            lyftlearn-runtime: cannot use the setting user: it is in more than 10000 groups of /etc/group
              hint: give the group that it needs, user = "NAME:GROUP"
        "#]].assert_eq(&of(200_000).unwrap_err().report());
    }

    #[test]
    fn a_missing_user_or_group_is_reported() {
        refused(
            "nobody",
            expect![[r#"
            lyftlearn-runtime: cannot use the setting user: no such user in /etc/passwd
              hint: give numbers, user = "1000:100", or add the name to the image
        "#]],
        );
        refused(
            "ml:nobody",
            expect![[r#"
            lyftlearn-runtime: cannot use the setting user: no such group in /etc/group
              hint: give numbers, user = "1000:100", or add the name to the image
        "#]],
        );
        refused(
            "4711",
            expect![[r#"
                lyftlearn-runtime: cannot use the setting user: a number without an entry in /etc/passwd needs a group
                  hint: give the group as well, user = "1000:100"
            "#]],
        );
    }
}
