//! Any settings from any layer: understood, or reported without a value.

use super::{File, REGISTER, read};
use crate::fuzz::{CANARY, Draw, check_report, target};

const FILES: [&str; 2] = ["/opt/lyftlearn/runtime.toml", "/etc/lyftlearn/runtime.toml"];

/// Values that some setting takes, and some that none does.
const VALUES: &[&str] = &[
    "'off'",
    "true",
    "60",
    "'60'",
    "'kubernetes'",
    "['a', 'b']",
    "['/etc/live']",
    "'/opt/ml'",
    "'1000:100'",
    "'SIGTERM'",
    "['SIGTERM', 'SIGINT']",
    "{ 143 = 0 }",
    "['143=0']",
    "'0.0.0.0:9102'",
    "'http://collector:4318'",
    "'tcp://agent:25888'",
    "{ command = ['python3'] }",
    "{ from = 'env:A', required = true }",
    "{ from = 'file:/a', as_env = 'B', keys = ['c'] }",
    "{ arn = 'arn:aws:iam::1:role/x' }",
    "1.5",
    "-1",
    "9223372036854775807",
    "1979-05-27",
    "[]",
    "{}",
    "''",
    "\"\"\"\n\"\"\"",
    "'canary7391qzx'",
    "['canary7391qzx', 1]",
    "{ canary = 'canary7391qzx' }",
];

const NAMES: &[&str] = &[
    "secrets.db",
    "secrets.db.from",
    "secrets.\"a b\".keys",
    "credentials.roles.data",
    "metrics",
    "metrics.gatway.host",
    "commands.train.command",
    "x",
    "\"\u{e9}\\n\"",
];

fn key(draw: &mut Draw<'_>) -> &'static str {
    if draw.once_in(4) {
        draw.pick(NAMES)
    } else {
        draw.pick(&REGISTER.keys().map(|key| key.name).collect::<Vec<_>>())
    }
}

fn toml(draw: &mut Draw<'_>) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..draw.below(8) {
        let (name, value) = (key(draw), draw.pick(VALUES));
        match name.rsplit_once('.') {
            Some((table, last)) if draw.once_in(2) => {
                text.push_str(&format!("[{table}]\n{last} = {value}\n"));
            }
            _ => text.insert_str(0, &format!("{name} = {value}\n")),
        }
    }
    draw.damaged(text)
}

fn layers(draw: &mut Draw<'_>) {
    let files: Vec<File> = FILES[..draw.below(3)]
        .iter()
        .map(|path| File {
            path: (*path).to_owned(),
            bytes: toml(draw),
        })
        .collect();
    let mut variables = std::collections::BTreeMap::new();
    for _ in 0..draw.below(6) {
        let name = key(draw).replace('.', "_").to_uppercase();
        let value = match draw.below(8) {
            0 => None,
            1 => Some(draw.text(&[CANARY, ":", "/", "[", "\"", "=", "\n", "1"], 6)),
            _ => Some(draw.pick(VALUES).trim_matches('\'').to_owned()),
        };
        variables.insert(format!("LYFTLEARN_RUNTIME_{name}"), value);
    }
    let variables = || {
        let all = variables.iter();
        all.map(|(name, value)| (name.as_str(), value.as_deref()))
    };
    match read(&files, variables(), &[]) {
        Err(error) => {
            // A damaged file may have a value in place of a key, and keys are named in reports.
            let names = |text: &[u8]| {
                String::from_utf8_lossy(text)
                    .lines()
                    .any(|line| line.split(['\'', '"']).next().is_some_and(has_canary))
            };
            if !files.iter().any(|file| names(&file.bytes)) {
                check_report(&error);
            }
            assert!(error.report().lines().count() <= 24, "{}", error.report());
        }
        Ok(settings) => {
            let again = read(&files, variables(), &[]).expect("it was understood before");
            assert_eq!(settings, again);
            // The highest layer counts; of a table, the highest that sets something in it.
            for (key, source) in &settings.sources {
                let within = |layer: &str| {
                    layer
                        .strip_prefix(key)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                let mut of_key = settings.layers.iter().filter(|layer| within(&layer.key));
                let highest = of_key.next_back().map(|layer| &layer.source);
                assert!(highest.is_none_or(|highest| highest == source), "{key}");
            }
            for (name, value) in variables() {
                // What has a line end and no more is empty, too.
                let set = !matches!(value, None | Some("" | "\n"));
                let over = settings.sources.values().any(|source| source[1..] == *name);
                let linked = settings.service_links.iter().any(|link| link == name);
                let table = name.starts_with("LYFTLEARN_RUNTIME_SECRETS");
                assert!(!set || over || linked || table, "{name} is not there");
            }
        }
    }
}

fn has_canary(text: &str) -> bool {
    text.contains(CANARY)
}

#[test]
fn fuzz_layers() {
    target!(2_000, layers);
}
