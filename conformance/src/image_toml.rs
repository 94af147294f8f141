//! `image.toml`: what a team says of its image. Every mistake is reported at once, with its line and
//! column.

pub mod budget;
mod reader;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::trouble::{Result, Trouble};
use budget::{BUDGETS, Budget};
use reader::{Reader, Table};

/// The file, understood.
#[derive(Clone, Debug, Default)]
pub struct ImageToml {
    /// `training`, `serving`; empty: from the image.
    pub roles: Vec<String>,
    /// `base`, `training`, …; empty: `base` and what the roles name.
    pub profiles: Vec<String>,
    /// `[train]`
    pub train: Option<Train>,
    /// `[serve]`
    pub serve: Option<Serve>,
    /// `[budget]`, by the ids of the checks; `None`: there is no such section.
    pub budget: Option<BTreeMap<&'static str, f64>>,
    /// `[lazy]`
    pub lazy: Option<Lazy>,
    /// `[[waive]]`
    pub waived: Vec<Waiver>,
}

/// `[lazy]`
#[derive(Clone, Debug, Default)]
pub struct Lazy {
    /// There must be an index.
    pub require: bool,
}

/// `[train]`
#[derive(Clone, Debug, Default)]
pub struct Train {
    /// Texts.
    pub hyperparameters: Vec<(String, String)>,
    /// Name and directory.
    pub channels: Vec<(String, PathBuf)>,
    /// How long a training may take.
    pub timeout_seconds: u64,
    /// Files that must be there afterwards, below `/opt/ml`.
    pub files: Vec<String>,
    /// Texts that the log must hold.
    pub log: Vec<String>,
    /// How it is made to fail.
    pub failure: Option<Failure>,
    /// A text that the log of a training must hold that goes on from checkpoints.
    pub resume: Option<String>,
    /// By how much a number in a model's file may differ.
    pub tolerance: f64,
}

/// `train.expect.failure`
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// What replaces the good hyperparameters.
    pub hyperparameters: Vec<(String, String)>,
    /// A part of the reason.
    pub reason: String,
}

/// `[serve]`
#[derive(Clone, Debug, Default)]
pub struct Serve {
    /// `None`: there is no model. `trained`, or a directory.
    pub model: Option<ServedModel>,
    /// The path that SageMaker probes.
    pub ready: String,
    /// The path that a pod's probe asks.
    pub ready_pod: String,
    /// How long it may take.
    pub ready_seconds: u64,
    /// A request.
    pub request: Option<Request>,
    /// The answer to it.
    pub body: Option<PathBuf>,
    /// By how much a number may differ.
    pub tolerance: f64,
}

/// `serve.model`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServedModel {
    /// What `[train]` left.
    Trained,
    /// A directory.
    Directory(PathBuf),
}

/// `serve.request`
#[derive(Clone, Debug)]
pub struct Request {
    /// `/invocations`
    pub path: String,
    /// The file with the body.
    pub body: PathBuf,
    /// `application/json`
    pub content_type: String,
}

/// `[[waive]]`
#[derive(Clone, Debug)]
pub struct Waiver {
    /// The id, or a pattern with `*`.
    pub check: String,
    /// Why.
    pub reason: String,
    /// The last day, `2027-03-31`.
    pub until: Option<String>,
    /// Its line in the file.
    pub line: usize,
}

/// Reads the file. `ids` are the checks that can be waived.
///
/// # Errors
///
/// Every mistake in it.
pub fn read(path: &Path, ids: &[&str]) -> Result<ImageToml> {
    let text = std::fs::read_to_string(path)
        .map_err(|err| Trouble::Wrong(vec![format!("cannot read {}: {err}", path.display())]))?;
    let base = path.parent().unwrap_or(Path::new("."));
    parse(&text, &path.display().to_string(), base, ids).map_err(Trouble::Wrong)
}

/// Understands the text; directories and files are below `base`.
///
/// # Errors
///
/// Every mistake in it.
pub fn parse(
    text: &str,
    name: &str,
    base: &Path,
    ids: &[&str],
) -> std::result::Result<ImageToml, Vec<String>> {
    let mut reader = Reader {
        text,
        name,
        base,
        ids,
        mistakes: Vec::new(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reader.mistake(at, error.message());
    }
    let file = if reader.mistakes.is_empty() {
        reader.file(table.get_ref())
    } else {
        ImageToml::default()
    };
    if reader.mistakes.is_empty() {
        Ok(file)
    } else {
        reader.mistakes.sort_by_key(|(at, _)| *at);
        Err(reader
            .mistakes
            .into_iter()
            .map(|(_, mistake)| mistake)
            .collect())
    }
}

impl Reader<'_> {
    fn file(&mut self, root: &Table<'_>) -> ImageToml {
        self.known(
            root,
            "",
            &["image", "train", "serve", "budget", "lazy", "waive"],
        );
        let mut file = ImageToml::default();
        if let Some(image) = self.table(root, "image", "image") {
            self.known(image, "image", &["roles", "profiles"]);
            file.roles = self.choices(image, "roles", "image.roles", &["training", "serving"]);
            file.profiles = self.choices(
                image,
                "profiles",
                "image.profiles",
                &["base", "training", "serving", "restricted", "lazy"],
            );
        }
        file.budget = self
            .table(root, "budget", "budget")
            .map(|budget| self.budget(budget));
        file.lazy = self.table(root, "lazy", "lazy").map(|lazy| {
            self.known(lazy, "lazy", &["require"]);
            Lazy {
                require: self.truth(lazy, "require", "lazy.require"),
            }
        });
        file.train = self
            .table(root, "train", "train")
            .map(|train| self.train(train));
        file.serve = self
            .table(root, "serve", "serve")
            .map(|serve| self.serve(serve));
        if let (Some(serve), None) = (&file.serve, &file.train)
            && serve.model == Some(ServedModel::Trained)
            && let Some(value) = root.get("serve")
        {
            self.mistake(
                value.span().start,
                "serve.model is \"trained\", but there is no [train] section",
            );
        }
        if let Some(value) = root.get("waive") {
            match value.get_ref().as_array() {
                None => self.expected(value, "waive", "a list of tables, [[waive]]"),
                Some(all) => {
                    for one in all.iter() {
                        match one.get_ref().as_table() {
                            Some(table) => {
                                let waiver = self.waiver(table, one.span().start);
                                file.waived.extend(waiver);
                            }
                            None => self.expected(one, "waive", "a table"),
                        }
                    }
                }
            }
        }
        file
    }

    fn train(&mut self, table: &Table<'_>) -> Train {
        self.known(
            table,
            "train",
            &[
                "hyperparameters",
                "channels",
                "timeout_seconds",
                "expect",
                "tolerance",
            ],
        );
        let mut train = Train {
            hyperparameters: self.pairs(table, "hyperparameters", "train.hyperparameters"),
            timeout_seconds: self.seconds(table, "timeout_seconds", "train.timeout_seconds", 300),
            tolerance: self.number(table, "tolerance", "train.tolerance"),
            ..Train::default()
        };
        if let Some(channels) = self.table(table, "channels", "train.channels") {
            for key in channels.keys() {
                let name = key.get_ref().to_string();
                let fits = !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
                    && !name.starts_with('.');
                if !fits {
                    self.mistake(
                        key.span().start,
                        "train.channels: a name may have letters, digits, `-`, `_` and `.`",
                    );
                }
                let full = format!("train.channels.{name}");
                train.channels.extend(
                    self.path(channels, &name, &full, true)
                        .map(|path| (name, path)),
                );
            }
        }
        if let Some(expect) = self.table(table, "expect", "train.expect") {
            self.known(
                expect,
                "train.expect",
                &["files", "log", "failure", "resume"],
            );
            train.resume = self.text(expect, "resume", "train.expect.resume");
            train.files = self.texts(expect, "files", "train.expect.files");
            train.log = self.texts(expect, "log", "train.expect.log");
            if let Some(failure) = self.table(expect, "failure", "train.expect.failure") {
                self.known(
                    failure,
                    "train.expect.failure",
                    &["hyperparameters", "reason"],
                );
                let reason = self.text(failure, "reason", "train.expect.failure.reason");
                if reason.is_none() && failure.get("reason").is_none() {
                    let at = table.get("expect").map_or(0, |value| value.span().start);
                    self.mistake(at, "train.expect.failure.reason is missing: set it to a part of the expected reason");
                }
                train.failure = Some(Failure {
                    hyperparameters: self.pairs(
                        failure,
                        "hyperparameters",
                        "train.expect.failure.hyperparameters",
                    ),
                    reason: reason.unwrap_or_default(),
                });
            }
        }
        train
    }

    fn serve(&mut self, table: &Table<'_>) -> Serve {
        let keys = [
            "model",
            "ready",
            "ready_pod",
            "ready_seconds",
            "request",
            "expect",
            "tolerance",
        ];
        self.known(table, "serve", &keys);
        let trained = table
            .get("model")
            .is_some_and(|value| value.get_ref().as_str() == Some("trained"));
        let model = if trained {
            Some(ServedModel::Trained)
        } else {
            self.path(table, "model", "serve.model", true)
                .map(ServedModel::Directory)
        };
        let ready = self
            .text(table, "ready", "serve.ready")
            .unwrap_or_else(|| "/ping".to_owned());
        let mut serve = Serve {
            model,
            ready_pod: self
                .text(table, "ready_pod", "serve.ready_pod")
                .unwrap_or_else(|| ready.clone()),
            ready,
            ready_seconds: self.seconds(table, "ready_seconds", "serve.ready_seconds", 60),
            tolerance: self.number(table, "tolerance", "serve.tolerance"),
            ..Serve::default()
        };
        if let Some(request) = self.table(table, "request", "serve.request") {
            self.known(request, "serve.request", &["path", "body", "content_type"]);
            let path = self.text(request, "path", "serve.request.path");
            let kind = self.text(request, "content_type", "serve.request.content_type");
            match self.path(request, "body", "serve.request.body", false) {
                Some(body) => {
                    serve.request = Some(Request {
                        path: path.unwrap_or_else(|| "/invocations".to_owned()),
                        body,
                        content_type: kind.unwrap_or_else(|| "application/json".to_owned()),
                    });
                }
                None if request.get("body").is_none() => {
                    let at = table.get("request").map_or(0, |value| value.span().start);
                    self.mistake(
                        at,
                        "serve.request.body is missing: set it to a file with the request's body",
                    );
                }
                None => {}
            }
        }
        if let Some(expect) = self.table(table, "expect", "serve.expect") {
            self.known(expect, "serve.expect", &["body"]);
            serve.body = self.path(expect, "body", "serve.expect.body", false);
        }
        serve
    }

    fn budget(&mut self, table: &Table<'_>) -> BTreeMap<&'static str, f64> {
        let keys: Vec<&str> = BUDGETS.iter().map(|budget| budget.key).collect();
        self.known(table, "budget", &keys);
        let mut budgets = BTreeMap::new();
        for Budget { id, key, .. } in BUDGETS {
            if table.get(*key).is_some() {
                let most = self.number(table, key, &format!("budget.{key}"));
                budgets.insert(*id, most);
            }
        }
        budgets
    }

    fn waiver(&mut self, table: &Table<'_>, at: usize) -> Option<Waiver> {
        self.known(table, "waive", &["check", "reason", "until"]);
        let check = self.text(table, "check", "waive.check");
        let reason = self.text(table, "reason", "waive.reason");
        for (key, value) in [("check", &check), ("reason", &reason)] {
            if value.is_none() && table.get(key).is_none() {
                self.mistake(at, format!("waive.{key} is missing"));
            }
        }
        let until = table.get("until").and_then(|value| match value.get_ref() {
            DeValue::Datetime(day) if day.date.is_some() && day.time.is_none() => {
                Some(day.to_string())
            }
            _ => {
                self.expected(value, "waive.until", "a date, such as 2027-03-31");
                None
            }
        });
        if let (Some(check), Some(value)) = (&check, table.get("check"))
            && !self.ids.iter().any(|known| matches(check, known))
        {
            self.mistake(
                value.span().start,
                format!("waive.check: there is no check {check}; `list` shows all"),
            );
        }
        let (line, _) = self.place(at);
        Some(Waiver {
            check: check?,
            reason: reason?,
            until,
            line,
        })
    }
}

/// Whether an id matches a pattern in which `*` matches any characters.
#[must_use]
pub fn matches(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == id,
        Some((beginning, rest)) => id.strip_prefix(beginning).is_some_and(|left| {
            (0..=left.len()).any(|at| left.is_char_boundary(at) && matches(rest, &left[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, id) in [
            ("image.*", "image.user"),
            ("*.stop", "train.stop"),
            ("*", "a"),
            ("s*.r*y", "serve.ready"),
        ] {
            assert!(matches(pattern, id), "{pattern} {id}");
        }
        for (pattern, id) in [
            ("image", "image.user"),
            ("image.*", "images"),
            ("*.stop", "stop.x"),
        ] {
            assert!(!matches(pattern, id), "{pattern} {id}");
        }
    }
}
