//! What an image's files show without a start: secrets, modes, compiled modules.

use std::collections::BTreeSet;

use super::image::{command, directory_of, few};
use super::{Seen, Subject};
use crate::layout::archive::may_be_secret;
use crate::layout::tree::Kind;
use crate::trouble::Result;

/// Whether a text holds what looks like a key of somebody's.
fn looks_secret(text: &str) -> bool {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let tail = |mark: &str, length: usize, fits: &dyn Fn(u8) -> bool| {
        text.match_indices(mark).any(|(at, _)| {
            let rest = text.as_bytes().get(at + mark.len()..).unwrap_or_default();
            rest.len() >= length && rest[..length].iter().all(|byte| fits(*byte))
        })
    };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/+=".contains(&byte);
    tail("AKIA", 16, &upper)
        || tail("ASIA", 16, &upper)
        || tail("ghp_", 36, &word)
        || tail("github_pat_", 22, &word)
        || tail("glpat-", 20, &word)
        || tail("AWS_SECRET_ACCESS_KEY=", 16, &word)
        || text.contains("PRIVATE KEY-----\n")
}

pub(super) fn secrets(subject: &Subject) -> Result<Vec<Seen>> {
    let mut wrong = Vec::new();
    for (path, node) in subject
        .image
        .tree
        .iter()
        .filter(|(path, _)| may_be_secret(path))
    {
        // Packages bring keys for their own tests.
        if path.split('/').any(|part| {
            [
                "test",
                "tests",
                "testdata",
                "site-packages",
                "dist-packages",
            ]
            .contains(&part)
        }) {
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let text = String::from_utf8_lossy(node.content.as_deref().unwrap_or_default());
        let by_name = [
            ".netrc",
            "_netrc",
            ".pypirc",
            ".git-credentials",
            ".dockercfg",
        ]
        .contains(&name)
            || path.ends_with(".aws/credentials")
            || path.ends_with(".git/HEAD");
        if node.kind == Kind::File
            && (by_name
                || looks_secret(&text)
                || text.contains("_authToken")
                || text.contains("\"auth\""))
        {
            wrong.push(format!("/{path}"));
        }
    }
    for (number, step) in subject.image.config.history.iter().enumerate() {
        if looks_secret(&step.created_by) {
            wrong.push(format!("step {} of the build's history", number + 1));
        }
    }
    for pair in subject.image.config.config.env.iter().flatten() {
        if looks_secret(pair) {
            wrong.push(format!(
                "ENV {}",
                pair.split('=').next().unwrap_or_default()
            ));
        }
    }
    Ok(vec![if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            format!("looks like a secret: {}", few(&wrong)),
            "no key, token or checkout in the image",
        )
    }])
}

/// Directories of the image's own program: the working directory, and those of files in its commands.
pub(super) fn program_directories(subject: &Subject) -> BTreeSet<String> {
    let (tree, started) = (&subject.image.tree, &subject.image.config.config);
    let mut directories = BTreeSet::new();
    directories.insert(directory_of(started).trim_matches('/').to_owned());
    let commands = ["train", "serve", "default"]
        .iter()
        .filter_map(|word| command(tree, word));
    for word in commands.flatten().filter(|word| word.starts_with('/')) {
        if let Some((path, _)) = tree.find(&word)
            && let Some((directory, _)) = path.rsplit_once('/')
        {
            directories.insert(directory.to_owned());
        }
    }
    let systems = [
        "",
        "bin",
        "usr/bin",
        "usr/local/bin",
        "sbin",
        "usr/sbin",
        "usr/local/sbin",
        "root",
        "tmp",
    ];
    directories.retain(|directory| !systems.contains(&directory.as_str()));
    directories
}

pub(super) fn unreadable(subject: &Subject) -> Result<Vec<Seen>> {
    let mut wrong = Vec::new();
    let mut directories: Vec<String> = program_directories(subject).into_iter().collect();
    directories.push("etc/lyftlearn".to_owned());
    for directory in &directories {
        let own = subject.image.tree.find(directory);
        let below = subject
            .image
            .tree
            .below(directory)
            .map(|(path, node)| (path.to_owned(), node));
        for (path, node) in own.into_iter().chain(below) {
            let needed = match node.kind {
                Kind::Directory => 0o005,
                Kind::File => 0o004,
                _ => 0,
            };
            if node.mode & needed != needed {
                wrong.push(format!("/{path} ({:04o})", node.mode));
            }
        }
    }
    Ok(vec![if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            few(&wrong),
            "files that any user may read: a cluster may choose the uid",
        )
    }])
}

pub(super) fn compiled(subject: &Subject) -> Result<Vec<Seen>> {
    let tree = &subject.image.tree;
    let mut wrong = Vec::new();
    let mut modules = 0;
    for directory in program_directories(subject) {
        for (path, _) in tree
            .below(&directory)
            .filter(|(path, node)| path.ends_with(".py") && node.kind == Kind::File)
        {
            modules += 1;
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let beginning = format!(
                "{parent}/__pycache__/{}.cpython-",
                name.trim_end_matches(".py")
            );
            let cached = tree.below(&format!("{parent}/__pycache__"));
            if !cached
                .into_iter()
                .any(|(path, _)| path.starts_with(&beginning) && path.ends_with(".pyc"))
            {
                wrong.push(format!("/{path}"));
            }
        }
    }
    Ok(vec![if modules == 0 {
        Seen::skipped("no Python modules in the program's directories")
    } else if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            format!("not compiled: {}", few(&wrong)),
            "a .pyc file for each module of the program",
        )
    }])
}

#[cfg(test)]
mod tests {
    use super::looks_secret;
    use crate::layout::archive::may_be_secret;

    #[test]
    fn a_secret_is_known_by_its_form() {
        let key = "AKIA".to_owned() + "IOSFODNN7EXAMPLE";
        assert!(looks_secret(&format!("ENV KEY={key}")));
        assert!(looks_secret(&format!(
            "-----BEGIN RSA {}-----\nMII",
            "PRIVATE KEY"
        )));
        assert!(!looks_secret(
            "pip install AKIA-tools; AWS_SECRET_ACCESS_KEY=$KEY"
        ));
        assert!(may_be_secret("root/.aws/credentials") && !may_be_secret("usr/lib/credentials.py"));
    }
}
