//! `docs/reference/messages.md`: every message, what it means and what to do.
//!
//! The messages come from the code: errors from the tables in the tests of each fault (`tests/messages.rs`
//! holds them complete), problems from the conformance cases and the calls that report one, and other
//! sentences from the strings in their sources. `meanings.txt` has the meaning of each. A test fails for a
//! message without a meaning, and for a meaning without a message.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;

use super::meanings::{Meaning, length, matches, meaning_of, meanings};
use super::strings::{arguments, code_of, files, sentences, sentences_of, strings};
use super::{heading, page};

const INTRODUCTION: &str = "\
Paste a message into the search of this site: each message has its own heading here. `…` stands for names, paths and numbers. \
[Troubleshooting](../troubleshooting.md) has longer answers to the most frequent ones.

An error before the program starts is printed on stderr as `lyftlearn-runtime: MESSAGE`, and the exit code is 125 unless the message \
names another. It is also the reason in `outcome.json` and in the platform's failure file. A message never contains the value of a \
variable, a key or a secret.";

const REGISTER: &str = include_str!("meanings.txt");

/// Parts of the product in the order of a reader's need: the files with their tables, and the
/// subject of their messages.
const AREAS: &[(&str, &[&str], &str)] = &[
    (
        "Command line",
        &["cli/usage", "cli/output"],
        "The command line of `lyftlearn-runtime` is wrong, or its output cannot be written.",
    ),
    (
        "Settings",
        &["layers/", "settings/"],
        "A `runtime.toml`, a variable or an option has a mistake. All mistakes are listed at once, each with the file and line, variable or option.",
    ),
    (
        "Documents of the platform",
        &["facts/", "platform/fault"],
        "A file of the platform exists and cannot be used. The start stops, because a guess could train on the wrong rank or serve the wrong model.",
    ),
    (
        "Documents of the deployment",
        &["platform/variables"],
        "A document in the config directory has a mistake.",
    ),
    (
        "Start of the program",
        &[
            "launch/program",
            "launch/nodes",
            "account",
            "init/",
            "deliver/",
            "toolkit/",
            "launch/fault",
        ],
        "The program cannot be started, or something cannot be delivered to it.",
    ),
    (
        "Credentials",
        &["credentials/", "launch/required", "cli/credentials"],
        "There are no credentials, or their source does not give any. In a report, the cause follows `because:`.",
    ),
    (
        "Secrets",
        &["secrets/"],
        "A secret cannot be fetched or delivered. In a report, the cause follows the name of the secret.",
    ),
    (
        "Hyperparameters",
        &["workload/hyperparameters"],
        "A program asked for a hyperparameter.",
    ),
    (
        "Live configuration",
        &["config/"],
        "A program asked for a live value.",
    ),
    (
        "Metrics",
        &["metrics/", "cli/metrics", "agent/"],
        "Something about counting or the agent.",
    ),
    (
        "Job state events",
        &["events/"],
        "A destination did not take an event.",
    ),
    (
        "Snapshots",
        &["launch/skew", "launch/snapshot", "cli/diff"],
        "A snapshot cannot be compared.",
    ),
    (
        "Spark",
        &["cli/spark", "spark/"],
        "The network path between a Spark driver and its executors.",
    ),
    ("Stopping", &["shutdown/"], "A program asked about a stop."),
];

/// The texts that `expect![[r#"…"#]].assert_eq(&reports(…))` compares, without their indentation.
fn tables(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("expect![[r#\"") {
        let body = &code[at + "expect![[r#\"".len()..];
        let Some((text, after)) = body.split_once("\"#]]") else {
            continue;
        };
        let after: String = after
            .chars()
            .take(200)
            .filter(|letter| !letter.is_whitespace())
            .collect();
        if ![".assert_eq(&reports(", ".assert_eq(&sentences("]
            .iter()
            .any(|call| after.starts_with(call))
        {
            continue;
        }
        let lines: Vec<&str> = text
            .lines()
            .skip_while(|line| line.trim().is_empty())
            .collect();
        let indent = lines
            .iter()
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.len() - line.trim_start().len())
            .min()
            .unwrap_or(0);
        let lines = lines.iter().map(|line| line.get(indent..).unwrap_or(""));
        found.push(
            lines
                .fold(String::new(), |text, line| text + line + "\n")
                .trim_end()
                .to_owned(),
        );
    }
    found
}

/// A table's reports: each begins at a line that is not indented.
fn entries(table: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in table.lines() {
        match found.last_mut() {
            Some(entry) if line.starts_with(' ') => {
                entry.push('\n');
                entry.push_str(line);
            }
            _ => found.push(line.to_owned()),
        }
    }
    found
}

/// A code span, which needs no escapes.
fn span(text: &str) -> String {
    let mark = if text.contains('`') { "``" } else { "`" };
    format!("{mark}{}{mark}", text.trim())
}

/// A sentence of the page from a hint or a remedy, in which nothing is Markdown.
fn sentence(text: &str) -> String {
    let text = text.replace('<', "&lt;").replace('*', "\\*");
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    // Names of settings, variables and commands stay as they are written.
    let is_word = first
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b',');
    let mut sentence = if is_word && !rest.starts_with('=') {
        first[..1].to_uppercase() + &text[1..]
    } else {
        text
    };
    if !sentence.ends_with(['.', '?']) {
        sentence.push('.');
    }
    sentence
}

/// A message as it is looked up: without the name of its variant.
struct Message {
    text: String,
    hint: Option<String>,
    code: &'static str,
    /// A line of its own on stderr, and not a cause or a detail below one.
    is_report: bool,
}

/// An entry's message, and those of its details and causes.
fn messages_of(entry: &str) -> Vec<Message> {
    let (kind, rest) = entry.split_once(": ").unwrap_or(("", entry));
    let is_kind = kind.starts_with(|first: char| first.is_uppercase())
        && kind.len() > 4
        && kind.chars().all(char::is_alphanumeric)
        && kind.chars().any(char::is_lowercase);
    let code = match kind {
        "ProgramNotFound" => " The exit code is 127.",
        "ProgramNotExecutable" => " The exit code is 126.",
        _ => "",
    };
    let mut found: Vec<Message> = Vec::new();
    for line in (if is_kind { rest } else { entry }).lines() {
        let line = line.trim();
        match line.strip_prefix("hint: ") {
            Some(hint) => {
                if let Some(first) = found.first_mut() {
                    first.hint = Some(hint.to_owned());
                }
            }
            None => found.push(Message {
                text: line.trim_start_matches("because: ").to_owned(),
                hint: None,
                code,
                is_report: found.is_empty() && is_kind,
            }),
        }
    }
    found
}

/// A whole line with this message, for whom the heading with its `…` is not enough. Without one, the
/// site's search would prefer pages that have the name of this program.
fn printed(meaning: &Meaning, messages: &[&Message]) -> Option<String> {
    if let Some(example) = meaning.example {
        return Some(example.to_owned());
    }
    if let Some(report) = messages.iter().find(|message| message.is_report) {
        return Some(format!("lyftlearn-runtime: {}", report.text));
    }
    let values = messages.iter().map(|message| &message.text);
    let mut values = values.filter(|text| *text != meaning.text && !text.contains('…'));
    values.next().cloned()
}

/// The section of one message: its text as heading, which the site's search finds.
fn section(page: &mut String, meaning: &Meaning, messages: &[&Message]) {
    let code = messages
        .iter()
        .map(|message| message.code)
        .find(|code| !code.is_empty());
    write!(
        page,
        "\n### {}\n\n{}{}\n",
        span(meaning.text),
        meaning.means.replace('*', "\\*"),
        code.unwrap_or_default()
    )
    .unwrap();
    if let Some(line) = printed(meaning, messages) {
        write!(page, "\nPrinted as: {}\n", span(&line)).unwrap();
    }
    let mut hints: Vec<(&str, &str)> = Vec::new();
    for message in messages {
        if let Some(hint) = message.hint.as_deref()
            && !hints.iter().any(|(known, _)| *known == hint)
        {
            hints.push((hint, &message.text));
        }
    }
    match (hints.as_slice(), meaning.remedy) {
        ([], remedy) => {
            let remedy = remedy.unwrap_or_else(|| panic!("nothing to do about: {}", meaning.text));
            write!(page, "\n**What to do:** {}\n", sentence(remedy)).unwrap();
        }
        ([(hint, _)], _) => write!(page, "\n**What to do:** {}\n", sentence(hint)).unwrap(),
        (several, _) => {
            page.push_str("\n**What to do:**\n\n");
            for (hint, text) in several {
                writeln!(page, "- {}: {}", span(text), sentence(hint)).unwrap();
            }
        }
    }
}

/// All messages of one heading, in the order of the register.
fn sections(page: &mut String, all: &[Meaning], found: &[Message], used: &mut BTreeSet<usize>) {
    let mut by_meaning: BTreeMap<usize, Vec<&Message>> = BTreeMap::new();
    let mut missing = Vec::new();
    for message in found {
        match meaning_of(all, &message.text) {
            Some(at) => by_meaning.entry(at).or_default().push(message),
            None => missing.push(&message.text),
        }
    }
    assert!(
        missing.is_empty(),
        "meanings.txt does not have: {missing:#?}"
    );
    for (at, messages) in by_meaning {
        section(page, &all[at], &messages);
        used.insert(at);
    }
}

/// Messages that are sentences in the code of one part, not variants of a fault.
const SPOKEN: &[(&str, &[&str], &str)] = &[
    (
        "Log of a start",
        &[
            "launch/nodes.rs",
            "launch/announcement.rs",
            "cli/env.rs",
            "cli/mod.rs",
        ],
        "These lines begin with `lyftlearn-runtime:`.",
    ),
    (
        "End of the program",
        &["outcome", "launch/outcome.rs", "launch/events.rs"],
        "These lines begin with `lyftlearn-runtime:`. They are also in `outcome.json`, see [stopping and outcomes](../stopping.md). A line may have several of these texts, with a semicolon between them.",
    ),
    (
        "Answers of the credential endpoint",
        &["agent/endpoint.rs"],
        "An SDK that cannot get credentials shows these texts in its own error. They are the `message` in the response of the endpoint on loopback.",
    ),
    (
        "Tests of a Spark driver's network",
        &["cli/spark"],
        "`lyftlearn-runtime spark listen` and `lyftlearn-runtime spark reach` print these lines.",
    ),
    (
        "Log of the agent",
        &["agent"],
        "The agent logs lines such as `lyftlearn-runtime: level=warn event=NAME FIELD=VALUE`.",
    ),
    (
        "Findings of doctor",
        &["cli/doctor"],
        "`lyftlearn-runtime doctor` prints a line for each finding: its verdict, the check, and one of these texts. Findings that need nothing are left out here.",
    ),
];

/// Parts whose sentences are problems, where they are not in a call that reports one.
const PROBLEMS: &[&str] = &[
    "deliver",
    "launch",
    "metrics/clients/mod.rs",
    "metrics/routes/emf/plan.rs",
    "metrics/routes/otlp/headers.rs",
    "metrics/routes/otlp/plan.rs",
    "metrics/routes/sagemaker/plan.rs",
    "metrics/routes/statsd/plan.rs",
    "platform",
    "resolve.rs",
    "secrets/naming.rs",
    "toolkit",
];

/// The problems in the code, with `…` in place of values.
fn reported(source: &Path) -> BTreeSet<String> {
    let all = code_of(source, "");
    let calls = all
        .iter()
        .flat_map(|(_, code)| arguments(code, "problems", ".push("));
    let texts = calls.flatten().flat_map(|argument| sentences(&argument));
    // Others are parts of a sentence.
    texts.filter(|text| length(text) > 16).collect()
}

fn problems() -> BTreeSet<String> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/cases");
    let mut found = BTreeSet::new();
    for group in std::fs::read_dir(cases).unwrap() {
        for case in std::fs::read_dir(group.unwrap().path()).unwrap() {
            let path = case.unwrap().path().join("expect.json");
            let Ok(text) = std::fs::read_to_string(path) else {
                continue;
            };
            let expect: serde_json::Value = serde_json::from_str(&text).unwrap();
            let all = expect["problems"].as_array();
            found.extend(
                all.into_iter()
                    .flatten()
                    .map(|problem| problem.as_str().unwrap().to_owned()),
            );
        }
    }
    // A Service's variables come in sevens, and one is enough to find the message by.
    let mut seen = BTreeSet::new();
    found
        .into_iter()
        .filter(|problem| {
            let kind = problem
                .split_once(" is ignored: ")
                .map_or(problem.as_str(), |(_, why)| why);
            seen.insert(kind.to_owned())
        })
        .collect()
}

#[test]
fn messages() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&source, &mut paths);
    let mut by_area: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(&source).unwrap().display().to_string();
        if name.starts_with("reference/") {
            continue;
        }
        for table in tables(&std::fs::read_to_string(&path).unwrap()) {
            let area = AREAS
                .iter()
                .position(|(_, of, _)| of.iter().any(|prefix| name.starts_with(prefix)));
            let area = area.unwrap_or_else(|| panic!("{name} has messages and no area in AREAS"));
            by_area.entry(area).or_default().push(table);
        }
    }
    let all = meanings(REGISTER);
    let mut used = BTreeSet::new();
    let mut text = page("Messages", INTRODUCTION);
    for (area, tables) in by_area {
        let (title, _, about) = AREAS[area];
        heading(&mut text, title, about);
        let entries = tables.iter().flat_map(|table| entries(table));
        let found: Vec<Message> = entries.flat_map(|entry| messages_of(&entry)).collect();
        sections(&mut text, &all, &found, &mut used);
    }
    heading(
        &mut text,
        "Problems",
        "A problem does not stop the start. `inspect` and `doctor` list all problems, and the line that `run` logs at the start has up to three.",
    );
    let spoken = |text: String| Message {
        text,
        hint: None,
        code: "",
        is_report: false,
    };
    let said: Vec<BTreeSet<String>> = SPOKEN
        .iter()
        .map(|(_, parts, _)| of_parts(&source, parts))
        .collect();
    let mut found: BTreeSet<String> = problems();
    let calls = reported(&source);
    let elsewhere = of_parts(&source, PROBLEMS);
    // In the code a constant, too, is `…`.
    let longer = elsewhere.iter().filter(|other| length(other) > 40);
    let patterns: Vec<&String> = longer.chain(&calls).collect();
    let in_code = |text: &str| {
        elsewhere.contains(text) || patterns.iter().any(|pattern| matches(pattern, text))
    };
    let texts = all.iter().map(|meaning| meaning.text);
    found.extend(texts.filter(|text| in_code(text)).map(str::to_owned));
    found.extend(calls);
    // Sentences with a section of their own; those that other tables have; parts of sentences, of which
    // the other test knows.
    found.retain(|text| {
        let at = meaning_of(&all, text);
        at.is_some_and(|at| !used.contains(&at))
            && !said.iter().any(|of_section| of_section.contains(text))
    });
    let found: Vec<Message> = found.into_iter().map(spoken).collect();
    sections(&mut text, &all, &found, &mut used);
    for ((title, _, about), strings) in SPOKEN.iter().zip(said) {
        heading(&mut text, title, about);
        for (at, meaning) in all.iter().enumerate() {
            if strings.contains(meaning.text) && !used.contains(&at) {
                section(&mut text, meaning, &[]);
                used.insert(at);
            }
        }
    }
    let unused = (0..all.len()).filter(|at| !used.contains(at));
    let unused: Vec<&str> = unused.map(|at| all[at].text).collect();
    assert!(unused.is_empty(), "no code has these messages: {unused:#?}");
    expect_file!["../../../docs/reference/messages.md"].assert_eq(&text);
}

fn of_parts(source: &Path, parts: &[&str]) -> BTreeSet<String> {
    let parts = parts.iter();
    parts.flat_map(|part| sentences_of(source, part)).collect()
}

/// Parts of the code in which every sentence is for a user.
const SENTENCES: &[&str] = &[
    "agent/endpoint.rs",
    "agent/log.rs",
    "cli/doctor",
    "cli/env.rs",
    "cli/mod.rs",
    "cli/spark",
    "deliver",
    "launch",
    "metrics/clients/mod.rs",
    "metrics/routes/emf/plan.rs",
    "metrics/routes/otlp/headers.rs",
    "metrics/routes/otlp/plan.rs",
    "metrics/routes/sagemaker/plan.rs",
    "metrics/routes/statsd/plan.rs",
    "outcome",
    "platform/credentials.rs",
    "platform/events.rs",
    "platform/hyperparameters.rs",
    "platform/kubernetes/ranks.rs",
    "platform/misplaced.rs",
    "platform/spark.rs",
    "resolve.rs",
    "secrets/naming.rs",
    "toolkit",
];

/// A shorter text would fit into any message.
const PART_BYTES: usize = 10;

/// A sentence that a reader cannot look up would be a string here that the register lacks.
#[test]
fn every_sentence_is_in_the_register() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all = meanings(REGISTER);
    let everything = code_of(&source, "");
    let mut known: BTreeSet<&str> = all.iter().map(|meaning| meaning.text).collect();
    known.extend(all.iter().filter_map(|meaning| meaning.remedy));
    // Errors are complete by their own tables, which have the hints.
    let mut paths = Vec::new();
    files(&source, &mut paths);
    let tables: Vec<String> = paths
        .iter()
        .flat_map(|path| tables(&std::fs::read_to_string(path).unwrap()))
        .collect();
    let of_errors: Vec<&str> = tables.iter().flat_map(|table| table.lines()).collect();
    let quiet: BTreeSet<&str> = include_str!("quiet.txt").lines().map(str::trim).collect();
    let is_known = |text: &str| {
        let part = format!("…{text}…");
        known.contains(text)
            || quiet.contains(text)
            || meaning_of(&all, text).is_some()
            || length(text) >= PART_BYTES
                && (known.iter().any(|known| matches(text, known))
                    || of_errors.iter().any(|line| matches(&part, line)))
    };
    let sentences = of_parts(&source, SENTENCES);
    let mut found = reported(&source);
    found.extend(sentences.iter().cloned());
    let missing: Vec<&String> = found
        .iter()
        .filter(|text| text.contains(' ') && !is_known(text))
        .collect();
    assert!(
        missing.is_empty(),
        "put sentences into meanings.txt, and good news and parts of sentences into quiet.txt: {missing:#?}"
    );
    let gone: Vec<&&str> = quiet
        .iter()
        .filter(|text| !sentences.contains(**text))
        .collect();
    assert!(gone.is_empty(), "the code no longer has: {gone:#?}");

    let mut unread = Vec::new();
    for (path, code) in &everything {
        let name = path.strip_prefix(&source).unwrap().display().to_string();
        let speaks = ["stderr::line(", "stderr::say("]
            .iter()
            .any(|call| code.contains(call));
        if speaks && !SENTENCES.iter().any(|part| name.starts_with(part)) {
            unread.push(name);
        }
    }
    assert!(unread.is_empty(), "add to SENTENCES: {unread:?}");

    for (path, code) in code_of(&source, "agent") {
        for (at, _) in code.match_indices(".warn(") {
            let event = strings(&code[at..]).into_iter().next().unwrap();
            assert!(
                known.contains(event.as_str()),
                "{}: {event}",
                path.display()
            );
        }
    }
}
