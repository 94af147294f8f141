//! What an image's configuration and settings say, without a start.

use lyftlearn_runtime::{Facts, resolve};

use super::{Seen, Subject};
use crate::image_toml::ImageToml;
use crate::layout::config::Started;
use crate::layout::tree::Tree;
use crate::layout::{Image, elf};
use crate::place::{Input, Place, Word};
use crate::trouble::{Result, Trouble};

const RUNTIME: &str = "lyftlearn-runtime";
const SETTINGS: &str = "/etc/lyftlearn/runtime.toml";
/// What engines set when an image sets none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A list's beginning, for a message.
pub(super) fn few(all: &[String]) -> String {
    let shown: Vec<_> = all.iter().take(5).cloned().collect();
    let more = all.len() - shown.len();
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    format!("{}{more}", shown.join(", "))
}

/// Whether the runtime is in the entry point, in whatever way.
#[must_use]
pub fn has_runtime(started: &Started) -> bool {
    let words = started.entrypoint.iter().flatten();
    words
        .flat_map(|word| word.split_whitespace())
        .any(|word| word.rsplit('/').next() == Some(RUNTIME))
}

fn path_of(started: &Started) -> &str {
    started.variable("PATH").unwrap_or(PATH)
}

pub(super) fn directory_of(started: &Started) -> &str {
    started
        .working_dir
        .as_deref()
        .filter(|directory| !directory.is_empty())
        .unwrap_or("/")
}

/// What a word runs by `[commands]` of the image's settings; `None` without such a setting.
pub(super) fn command(tree: &Tree, word: &str) -> Option<Vec<String>> {
    let (_, node) = tree.find(SETTINGS)?;
    let text = std::str::from_utf8(node.content.as_deref()?).ok()?;
    let table: toml::Table = text.parse().ok()?;
    let value = table.get("commands")?.get(word)?;
    let list = value.get("command").unwrap_or(value).as_array()?;
    list.iter()
        .map(|word| word.as_str().map(str::to_owned))
        .collect()
}

/// What the image claims to do: by `image.toml`, else by its commands.
#[must_use]
pub fn roles(image: &Image, toml: &ImageToml) -> Vec<Word> {
    let started = &image.config.config;
    let named = |word: Word| {
        let role = if word == Word::Train {
            "training"
        } else {
            "serving"
        };
        toml.roles.iter().any(|known| known == role)
    };
    let has = |word: Word| {
        command(&image.tree, word.text()).is_some()
            || image
                .tree
                .executable(word.text(), path_of(started), directory_of(started))
                .is_some()
    };
    let claims = |word: &Word| {
        if toml.roles.is_empty() {
            has(*word)
        } else {
            named(*word)
        }
    };
    [Word::Train, Word::Serve]
        .into_iter()
        .filter(claims)
        .collect()
}

pub(super) fn entrypoint(subject: &Subject) -> Result<Vec<Seen>> {
    let started = &subject.image.config.config;
    let words: Vec<&str> = started
        .entrypoint
        .iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let name = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let shown = serde_json::Value::from(words.clone()).to_string();
    let expected = r#"["lyftlearn-runtime", "run", "--"]"#;
    let seen = match words.as_slice() {
        [] => Seen::failed("the image has no ENTRYPOINT", expected),
        [first, "run", ..] if name(first) == RUNTIME => Seen::passed(),
        [first, "-c", ..] if ["sh", "bash", "dash", "ash"].contains(&name(first).as_str()) => {
            Seen::failed(format!("a shell is started first: {shown}"), expected)
        }
        [first, ..] if has_runtime(started) => Seen::failed(
            format!("{} is started first: {shown}", name(first)),
            expected,
        ),
        _ => Seen::failed(format!("ENTRYPOINT is {shown}"), expected),
    };
    Ok(vec![seen])
}

/// The binary by its name in the entry point.
fn binary(subject: &Subject) -> Option<(String, &crate::layout::tree::Node)> {
    let started = &subject.image.config.config;
    let words = started
        .entrypoint
        .iter()
        .flatten()
        .flat_map(|word| word.split_whitespace());
    let name = words
        .into_iter()
        .find(|word| word.rsplit('/').next() == Some(RUNTIME))
        .unwrap_or(RUNTIME);
    subject
        .image
        .tree
        .executable(name, path_of(started), directory_of(started))
}

pub(super) fn runtime_static(subject: &Subject) -> Result<Vec<Seen>> {
    let expected =
        "a static executable for this image's architecture with execute permission for every user";
    let Some((path, node)) = binary(subject) else {
        return Ok(vec![Seen::failed(
            format!("{RUNTIME} is not an executable on PATH"),
            expected,
        )]);
    };
    let program = node.content.as_deref().and_then(elf::read);
    let architecture = &subject.image.config.architecture;
    let seen = match program {
        None => Seen::failed(format!("/{path} is not a 64-bit ELF executable"), expected),
        Some(program) => match program.interpreter {
            Some(interpreter) => Seen::failed(format!("/{path} needs {interpreter}"), expected),
            None if program.architecture != *architecture => Seen::failed(
                format!(
                    "/{path} is for {}, the image is for {architecture}",
                    program.architecture
                ),
                expected,
            ),
            None if node.mode & 0o001 == 0 => {
                Seen::failed(format!("/{path} has mode {:04o}", node.mode), expected)
            }
            None => Seen::passed(),
        },
    };
    Ok(vec![seen])
}

/// The version in the binary: what it prints for `--version` is in it in one piece.
fn version_of(binary: &[u8]) -> Option<String> {
    let mark = format!("{RUNTIME} ").into_bytes();
    binary
        .windows(mark.len() + 16)
        .filter(|window| window.starts_with(&mark))
        .find_map(|window| {
            let rest = &window[mark.len()..];
            let version: Vec<u8> = rest
                .iter()
                .copied()
                .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
                .collect();
            let version = String::from_utf8(version).ok()?;
            (version.split('.').count() == 3 && version.split('.').all(|part| !part.is_empty()))
                .then_some(version)
        })
}

pub(super) fn runtime_versions(subject: &Subject) -> Result<Vec<Seen>> {
    let binary = binary(subject)
        .and_then(|(_, node)| node.content.as_deref())
        .and_then(version_of);
    let Some(binary) = binary else {
        return Ok(vec![Seen::skipped("found no version in the binary")]);
    };
    let is_metadata =
        |path: &str| path.contains("/lyftlearn_runtime-") && path.ends_with(".dist-info/METADATA");
    let wheels: Vec<(String, String)> = subject
        .image
        .tree
        .iter()
        .filter(|(path, _)| is_metadata(path))
        .filter_map(|(path, node)| {
            let text = String::from_utf8_lossy(node.content.as_deref()?).into_owned();
            let version = text
                .lines()
                .find_map(|line| line.strip_prefix("Version: "))?
                .to_owned();
            Some((path.to_owned(), version))
        })
        .collect();
    if wheels.is_empty() {
        return Ok(vec![Seen::skipped(
            "this image does not have the Python package lyftlearn-runtime",
        )]);
    }
    let other = wheels.iter().find(|(_, version)| *version != binary);
    Ok(vec![match other {
        Some((path, version)) => Seen::failed(
            format!("the binary is {binary}, the Python package in /{path} is {version}"),
            "the same version",
        ),
        None => Seen::passed(),
    }])
}

pub(super) fn settings(subject: &Subject) -> Result<Vec<Seen>> {
    let Some((_, node)) = subject.image.tree.find(SETTINGS) else {
        return Ok(vec![Seen::noted(format!(
            "{SETTINGS} does not exist: every setting has its default"
        ))]);
    };
    let expected = "settings that are valid on each platform";
    let Some(content) = &node.content else {
        return Ok(vec![Seen::failed(
            format!("{SETTINGS} is not a file of at most 64 KiB"),
            expected,
        )]);
    };
    let fail =
        |err: std::io::Error| Trouble::Cannot(format!("cannot make a temporary directory: {err}"));
    let root = tempfile::tempdir().map_err(fail)?;
    let directory = root.path().join("etc/lyftlearn");
    std::fs::create_dir_all(&directory).map_err(fail)?;
    std::fs::write(directory.join("runtime.toml"), content).map_err(fail)?;
    let mut seen = Vec::new();
    for (place, word) in [
        (Place::SagemakerTraining, "train"),
        (Place::SagemakerHosting, "serve"),
        (Place::KubernetesPod, "serve"),
    ] {
        let mut facts = Facts::empty().with_root(root.path()).with_argv([word]);
        let order = place.order("", place.word(), &Input::default());
        for (name, value) in order.variables {
            facts = facts.with_var(name, value);
        }
        seen.push(match resolve(&facts) {
            Ok(_) => Seen::passed().at(place),
            Err(err) => Seen::failed(err.report().trim().to_owned(), expected).at(place),
        });
    }
    // One mistake is one finding, however many platforms read it.
    let failed = seen
        .iter()
        .find(|seen| matches!(seen.result, super::Verdict::Failed { .. }));
    Ok(vec![failed.cloned().map_or_else(
        Seen::passed,
        |mut seen| {
            seen.place = None;
            seen
        },
    )])
}

pub(super) fn commands(subject: &Subject) -> Result<Vec<Seen>> {
    let (tree, started) = (&subject.image.tree, &subject.image.config.config);
    let mut wrong = Vec::new();
    for word in ["train", "serve", "default"] {
        let claimed = subject.roles.iter().any(|role| role.text() == word);
        let program = match command(tree, word) {
            Some(command) => command.first().cloned().unwrap_or_default(),
            None if claimed => word.to_owned(),
            None => continue,
        };
        if tree
            .executable(&program, path_of(started), directory_of(started))
            .is_none()
        {
            wrong.push(format!(
                "`{word}` runs {program}, which is not an executable in the image"
            ));
        }
    }
    Ok(vec![if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            wrong.join("; "),
            "executables in the image, by path or by a name on PATH",
        )
    }])
}

pub(super) fn cmd(subject: &Subject) -> Result<Vec<Seen>> {
    let cmd = subject.image.config.config.cmd.clone().unwrap_or_default();
    Ok(vec![if cmd.is_empty() {
        Seen::passed()
    } else {
        let shown = serde_json::Value::from(cmd).to_string();
        Seen::failed(
            format!("CMD is {shown}"),
            "no CMD: SageMaker and a pod's args replace it",
        )
    }])
}

pub(super) fn stopsignal(subject: &Subject) -> Result<Vec<Seen>> {
    let signal = subject
        .image
        .config
        .config
        .stop_signal
        .as_deref()
        .unwrap_or("SIGTERM");
    Ok(vec![if ["SIGTERM", "TERM", "15", ""].contains(&signal) {
        Seen::passed()
    } else {
        Seen::failed(
            format!("STOPSIGNAL is {signal}"),
            "SIGTERM, which every platform sends",
        )
    }])
}

pub(super) fn user(subject: &Subject) -> Result<Vec<Seen>> {
    let user = subject.image.config.config.user.clone().unwrap_or_default();
    if subject.roles.is_empty() {
        return Ok(vec![Seen::skipped(
            "the image claims neither training nor hosting",
        )]);
    }
    let root = ["", "root", "0", "0:0", "root:root"].contains(&user.as_str());
    Ok(vec![if root {
        Seen::passed()
    } else {
        Seen::failed(
            format!("USER is {user}"),
            "no USER: SageMaker mounts directories with permissions for root alone",
        )
    }])
}

pub(super) fn volume(subject: &Subject) -> Result<Vec<Seen>> {
    let volumes = subject
        .image
        .config
        .config
        .volumes
        .clone()
        .unwrap_or_default();
    let hides = |volume: &str, directory: &str| {
        let volume = volume.trim_end_matches('/');
        volume == directory || directory.starts_with(&format!("{volume}/"))
    };
    let ours = ["/opt/ml", "/run", "/etc/lyftlearn"];
    let wrong: Vec<String> = volumes
        .into_keys()
        .filter(|volume| ours.iter().any(|directory| hides(volume, directory)))
        .collect();
    Ok(vec![if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            format!("VOLUME {}", few(&wrong)),
            "no VOLUME at or above /opt/ml, /run, /etc/lyftlearn",
        )
    }])
}

pub(super) fn healthcheck(subject: &Subject) -> Result<Vec<Seen>> {
    let test = subject
        .image
        .config
        .config
        .healthcheck
        .as_ref()
        .map(|check| check["Test"][0].clone());
    Ok(vec![match test {
        Some(test) if test != "NONE" && !test.is_null() => Seen::failed(
            "the image has a HEALTHCHECK",
            "no HEALTHCHECK: the platforms probe the server themselves",
        ),
        _ => Seen::passed(),
    }])
}

pub(super) fn env(subject: &Subject) -> Result<Vec<Seen>> {
    let prefixes = ["AWS_", "SM_"];
    let ours =
        |name: &str| name.starts_with("LYFTLEARN_") && !name.starts_with("LYFTLEARN_RUNTIME");
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let harmless = [
        "AWS_RETRY_MODE",
        "AWS_MAX_ATTEMPTS",
        "AWS_PAGER",
        "AWS_STS_REGIONAL_ENDPOINTS",
    ];
    let wrong: Vec<String> = subject
        .image
        .config
        .config
        .env
        .iter()
        .flatten()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| {
            let upper = name.to_ascii_uppercase();
            let named = prefixes.iter().any(|prefix| name.starts_with(prefix))
                && !harmless.contains(&name.as_str());
            named || ours(name) || proxies.contains(&upper.as_str())
        })
        .collect();
    Ok(vec![if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            format!("ENV sets {}", few(&wrong)),
            "no variable for credentials, a region or a proxy, no SM_* and no reserved LYFTLEARN_*",
        )
    }])
}

#[cfg(test)]
mod tests {
    use super::version_of;

    #[test]
    fn the_version_is_found_in_the_binary() {
        let bytes =
            b"xxlyftlearn-runtime failed yylyftlearn-runtime 1.20.3\nand so on, long enough";
        assert_eq!(version_of(bytes), Some("1.20.3".to_owned()));
        assert_eq!(
            version_of(b"lyftlearn-runtime has no version, only words"),
            None
        );
    }
}
