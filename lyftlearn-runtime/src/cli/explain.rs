//! `explain`: which layer set a variable or a setting, and what it overrides.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::output;
use super::page::{Ink, Page};
use super::usage::{Given, UsageFault};
use crate::contract::runtime::IMAGE_SETTINGS;
use crate::contract::toolkit as toolkit_words;
use crate::deliver::{Source, layered};
use crate::error::Error;
use crate::facts::{Facts, Whose};
use crate::launch::environment::Gathered;
use crate::launch::secrets::{self, Obtained};
use crate::layers::Unset;
use crate::outcome::named_secret;
use crate::resolve::{Resolved, resolve};
use crate::settings::{KEYS as SETTINGS, Settings};

/// A name, its value, and the values that it would have otherwise, highest first.
#[derive(Serialize)]
struct Explained {
    name: String,
    kind: Kind,
    #[serde(flatten)]
    winner: Said,
    shadowed: Vec<Said>,
    /// Whether it would be otherwise without anybody's doing.
    #[serde(skip)]
    changed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Variable,
    Setting,
}

/// A value, as one layer sets it.
#[derive(Serialize)]
struct Said {
    /// The value; of a secret the beginning of its SHA-256, and of a URL what is no key. `None`: a
    /// default that is no fixed value, which `source` describes.
    value: Option<String>,
    layer: Layer,
    /// The file, the variable or the secret.
    source: String,
}

/// As `--layer` spells them.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Layer {
    Default,
    Image,
    Config,
    Environment,
    Runtime,
    Secret,
}

impl Layer {
    const ALL: [(&'static str, Self); 6] = [
        ("default", Self::Default),
        ("image", Self::Image),
        ("config", Self::Config),
        ("environment", Self::Environment),
        ("runtime", Self::Runtime),
        ("secret", Self::Secret),
    ];

    fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, layer)| *layer == self)
            .map_or("", |(name, _)| name)
    }
}

pub(super) fn explain(given: &Given) -> Result<u8, Error> {
    let names: Vec<String> = given
        .words()
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    // The words are names here, and no program's.
    let facts = given.facts().with_argv::<String>([]);
    // The environment here contains what the start delivered. The layers are the start's own.
    let facts = match facts.run_directory(Whose::Anybody) {
        Some(run) => facts.as_at_the_start(&run),
        None => facts,
    };
    let all = all(&facts)?;
    let named: Vec<&Explained> = if names.is_empty() {
        all.iter().collect()
    } else {
        names
            .iter()
            .map(|name| {
                all.iter()
                    .find(|explained| explained.name == *name)
                    .ok_or_else(|| UsageFault::UnknownName { name: name.clone() }.into())
            })
            .collect::<Result<_, Error>>()?
    };
    let layer = given.choice("--layer");
    let chosen: Vec<&Explained> = named
        .into_iter()
        .filter(|explained| layer.is_none_or(|name| explained.winner.layer.name() == name))
        .filter(|explained| explained.changed || !given.has("--changed"))
        .collect();
    if given.has("--json") {
        let value = serde_json::to_string_pretty(&chosen).expect("texts have no failure to report");
        output::data(format!("{value}\n").as_bytes())?;
    } else {
        let mut page = Page::for_stdout();
        table(&mut page, &chosen);
        output::data(page.into_text().as_bytes())?;
    }
    Ok(0)
}

fn all(facts: &Facts) -> Result<Vec<Explained>, Error> {
    let resolved = resolve(facts)?;
    let settings = &resolved.settings;
    let gathered = Gathered::planned(facts, &resolved)?.with(known(facts, &resolved)?);
    // These hold every hyperparameter, one that is a secret, too.
    let secret_within = resolved.values.names().any(named_secret);
    let secret = |name: &OsStr| {
        let name = name.to_string_lossy();
        let whole = toolkit_words::WHOLE.contains(&name.as_ref());
        (whole && secret_within) || named_secret(&name) || settings.holds_secret(&name)
    };
    let variables = layered(&gathered.layers(facts))
        .into_iter()
        .map(|variable| {
            let secret = secret(&variable.name);
            let said = |(source, value): &(Source, OsString)| {
                let secret = secret || matches!(source, Source::Secret(_));
                of_source(source, shown(value, secret))
            };
            // Without the runtime the program would have the highest value of the container's own.
            let (source, value) = &variable.value;
            let mut below = variable.shadowed.iter();
            let without = below.find(|(source, _)| is_the_containers(source));
            let same = without.is_some_and(|(_, without)| without == value);
            Explained {
                name: variable.name.to_string_lossy().into_owned(),
                kind: Kind::Variable,
                winner: said(&variable.value),
                shadowed: variable.shadowed.iter().map(said).collect(),
                changed: !is_the_containers(source) && !same,
            }
        });
    Ok(variables.chain(of_settings(settings)).collect())
}

/// Whether the variable is there without the runtime.
fn is_the_containers(source: &Source) -> bool {
    matches!(source, Source::Image | Source::Environment)
}

/// The secrets that a start has delivered, or those that need not be fetched.
fn known(facts: &Facts, resolved: &Resolved) -> Result<Obtained, Error> {
    match facts.run_directory(Whose::Anybody) {
        Some(run) => secrets::beside(&resolved.settings, &run),
        None => Ok(secrets::at_hand(facts, resolved)),
    }
}

/// Every setting, in the register's order; secrets that are declared have rows of their own.
fn of_settings(settings: &Settings) -> Vec<Explained> {
    let keys = SETTINGS.iter().copied().flatten();
    let mut found: Vec<Explained> = keys
        .map(|key| Explained {
            name: key.name.to_owned(),
            kind: Kind::Setting,
            winner: of_default(key.default),
            shadowed: Vec::new(),
            changed: false,
        })
        .collect();
    // Low to high.
    for layer in &settings.layers {
        let said = Said {
            value: Some(shown(OsStr::new(&layer.value), false)),
            layer: layer_of(&layer.source),
            source: layer.source.clone(),
        };
        match found.iter_mut().find(|known| known.name == layer.key) {
            Some(known) => {
                let before = std::mem::replace(&mut known.winner, said);
                known.shadowed.insert(0, before);
            }
            None => found.push(Explained {
                name: layer.key.clone(),
                kind: Kind::Setting,
                winner: said,
                shadowed: Vec::new(),
                changed: true,
            }),
        }
    }
    for explained in &mut found {
        let lowest = explained.shadowed.last();
        explained.changed |= lowest.is_some_and(|lowest| lowest.value != explained.winner.value);
    }
    found
}

fn of_default(default: Unset) -> Said {
    let (value, source) = match default {
        Unset::Value(value) => (Some(value.to_owned()), "default"),
        Unset::Text(text) => (None, text),
    };
    Said {
        value,
        layer: Layer::Default,
        source: source.to_owned(),
    }
}

/// By the name that reports show: `key in file`, or a variable.
fn layer_of(source: &str) -> Layer {
    if source.ends_with(&format!(" in {IMAGE_SETTINGS}")) {
        Layer::Image
    } else if source.starts_with('$') || source.contains(" in $") {
        Layer::Environment
    } else {
        Layer::Config
    }
}

fn of_source(source: &Source, value: String) -> Said {
    let (layer, source) = match source {
        Source::Image => (Layer::Image, "the image's ENV".to_owned()),
        Source::Environment => (Layer::Environment, "the environment".to_owned()),
        Source::Document(path) => (Layer::Config, path.display().to_string()),
        Source::Runtime => (Layer::Runtime, "lyftlearn-runtime".to_owned()),
        Source::Secret(name) => (Layer::Secret, format!("secrets.{name}")),
    };
    Said {
        value: Some(value),
        layer,
        source,
    }
}

fn shown(value: &OsStr, secret: bool) -> String {
    if !secret || value.is_empty() {
        return without_keys(&value.to_string_lossy());
    }
    let digest = Sha256::digest(value.as_bytes());
    let beginning: String = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{beginning}")
}

/// A URL's user, password and query may be keys.
fn without_keys(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = url.find([' ', '"', '\'', '\n']);
        let (url, after) = url.split_at(end.unwrap_or(url.len()));
        let (place, query) = url.find('?').map_or((url, ""), |at| url.split_at(at));
        let (host, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
        match host.rsplit_once('@') {
            Some((_, host)) => shown.extend([HIDDEN, "@", host, path]),
            None => shown.extend([host, path]),
        }
        if !query.is_empty() {
            shown.extend(["?", HIDDEN]);
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

const HIDDEN: &str = "[hidden]";

/// The largest width of a column; a longer text moves the next column to a new line.
const NAME_WIDTH: usize = 40;
const SOURCE_WIDTH: usize = 40;

/// A row for each value, and below it a row for each that it overrides.
fn table(page: &mut Page, chosen: &[&Explained]) {
    if chosen.is_empty() {
        return page.line(0, Ink::Faint, "nothing matches");
    }
    let width = |texts: &mut dyn Iterator<Item = usize>, most: usize| {
        texts.max().unwrap_or_default().clamp(9, most)
    };
    let mut names = chosen.iter().map(|one| one.name.chars().count());
    let all = chosen.iter().flat_map(|one| {
        let shadowed = one.shadowed.iter();
        shadowed
            .chain([&one.winner])
            .map(|said| place(said).chars().count())
    });
    let widths = [
        width(&mut names, NAME_WIDTH),
        "environment".len(),
        width(&mut { all }, SOURCE_WIDTH),
    ];
    let mut row = |inks: [Ink; 2], cells: [&str; 3], value: &str| {
        let columns = [
            (inks[0], cells[0], widths[0]),
            (inks[1], cells[1], widths[1]),
            (inks[1], cells[2], widths[2]),
        ];
        page.row(0, &columns, inks[1], value);
    };
    row([Ink::Heading; 2], ["name", "layer", "source"], "value");
    for one in chosen {
        let said = &one.winner;
        let cells = [&one.name, said.layer.name(), place(said)];
        row([Ink::Name, Ink::Plain], cells, said.shown());
        for said in &one.shadowed {
            let cells = ["  overrides", said.layer.name(), place(said)];
            row([Ink::Faint; 2], cells, said.shown());
        }
    }
}

/// The source, where the layer alone does not say it.
fn place(said: &Said) -> &str {
    match said.layer {
        Layer::Config | Layer::Secret => &said.source,
        Layer::Environment if said.source.contains('$') => &said.source,
        Layer::Image if said.source.contains(IMAGE_SETTINGS) => &said.source,
        _ => "-",
    }
}

impl Said {
    /// A default that is no fixed value is described instead.
    fn shown(&self) -> &str {
        self.value.as_deref().unwrap_or(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::{Layer, without_keys};
    use crate::commands::{COMMANDS, Value};

    #[test]
    fn a_url_is_shown_without_its_keys() {
        for (text, shown) in [
            ("plain?text", "plain?text"),
            ("http://a.b:80/c", "http://a.b:80/c"),
            ("http://a/b?key=canary", "http://a/b?[hidden]"),
            ("pg://me:canary@db/x", "pg://[hidden]@db/x"),
            (
                r#"["https://a?canary","sqs:https://b/c","https://u:c@n@d"]"#,
                r#"["https://a?[hidden]","sqs:https://b/c","https://[hidden]@d"]"#,
            ),
            ("http://a/b@c", "http://a/b@c"),
            ("pg://me:can,ary@db", "pg://[hidden]@db"),
        ] {
            assert_eq!(without_keys(text), shown);
        }
    }

    #[test]
    fn every_layer_can_be_asked_for() {
        let flag = COMMANDS
            .at(&["explain"])
            .and_then(|command| command.flag("--layer"));
        let names = Layer::ALL.map(|(name, _)| name);
        let value = flag.and_then(|flag| flag.value).map(|(_, value)| value);
        let Some(Value::OneOf(choices)) = value else {
            panic!("--layer has no choices");
        };
        assert_eq!(choices, names);
    }
}
