//! `docs/reference/settings.md`, from the registers that the settings are read by.

use std::fmt::Write;

use expect_test::expect_file;

use super::{cell, page};
use crate::contract::runtime;
use crate::layers::Unset;
use crate::settings::{KEYS, SECRET_FIELDS};

const INTRODUCTION: &str = "\
Every setting has three names: a key in `runtime.toml`, a variable, and for a few an option of the command line. \
The [configuration](../configuration.md) page says where the files are and which layer overrides which.

A key that does not exist is an error, and the report names the nearest one. A blank variable sets nothing. \
Lists are TOML lists in a file and JSON lists in a variable.";

#[test]
fn settings() {
    let mut text = page("Settings", INTRODUCTION);
    let keys: Vec<_> = KEYS.iter().copied().flatten().collect();
    let mut sections: Vec<&str> = Vec::new();
    for key in &keys {
        let section = key.name.split_once('.').map_or("", |(section, _)| section);
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    writeln!(
        text,
        "\n## The switch\n\n| variable | meaning | default |\n|---|---|---|\n\
         | `{}` | `off`: `run` and `exec` start the program and do nothing else. Of all settings only \
         `[commands]` of the image is read, and only for `train`, `serve` and no argument. | `on` |",
        runtime::SWITCH
    )
    .unwrap();
    for section in sections {
        let title = if section.is_empty() {
            "General".to_owned()
        } else {
            format!("[{section}]")
        };
        write!(text, "\n## {title}\n").unwrap();
        let of_section = keys
            .iter()
            .filter(|key| key.name.split_once('.').map_or("", |(section, _)| section) == section);
        for key in of_section {
            let default = match key.default {
                Unset::Value(value) => format!("`{value}`"),
                Unset::Text(words) => words.to_owned(),
            };
            write!(
                text,
                "\n### {}\n\n{}\n\n| | |\n|---|---|\n| variable | `{}` |\n| value | {} |\n| default | {} |\n| example | `{} = {}` |\n",
                key.name,
                key.doc,
                key.variable(),
                cell(key.expected()),
                cell(&default),
                key.name,
                cell(key.example),
            )
            .unwrap();
        }
    }
    text.push_str(
        "\n## [secrets.NAME]\n\nOne table declares one secret. The variable `LYFTLEARN_RUNTIME_SECRETS` holds the same tables \
         as one JSON object, and overrides the files field by field. See [secrets](../secrets.md).\n\n\
         | field | meaning | value | default | example |\n|---|---|---|---|---|\n",
    );
    for field in SECRET_FIELDS {
        let default = match field.default {
            Unset::Value(value) => format!("`{value}`"),
            Unset::Text(words) => words.to_owned(),
        };
        writeln!(
            text,
            "| `{}` | {} | {} | {} | `{}` |",
            field.name,
            cell(field.doc),
            cell(field.expected()),
            cell(&default),
            cell(field.example)
        )
        .unwrap();
    }
    expect_file!["../../../docs/reference/settings.md"].assert_eq(&text);
}
