//! The same for a browser: one file without a script, which loads nothing.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Side, areas, counted, is_secret, shortened};
use crate::launch::snapshot::{Difference, Kind};
use crate::visible::visible;

const STYLE: &str = include_str!("page.css");

pub(super) fn page(sides: &[Side; 2], differences: &[Difference]) -> String {
    let groups = Kind::ALL.map(|(kind, title)| {
        let of_kind = differences.iter().filter(|one| one.kind == kind);
        (kind, title, of_kind.collect::<Vec<_>>())
    });
    let undeclared = groups[0].2.len();
    let (class, verdict) = match undeclared {
        0 => ("passed", "No undeclared difference".to_owned()),
        1 => ("failed", "1 undeclared difference".to_owned()),
        many => ("failed", format!("{many} undeclared differences")),
    };
    let title = format!("{} and {}: {verdict}", sides[0].file, sides[1].file);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (visible(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
                header class=(class) {
                    h1 { (verdict) }
                    p { (counts(&groups)) }
                }
                div class="sides" {
                    @for (letter, side) in ["A", "B"].into_iter().zip(sides) { (introduced(letter, side)) }
                }
                @for (kind, title, of_kind) in &groups {
                    @if !of_kind.is_empty() { (group(*kind, title, of_kind)) }
                }
            } }
        }
    };
    page.into_string()
}

fn counts(groups: &[(Kind, &str, Vec<&Difference>)]) -> String {
    let counted = groups.iter().map(|(_, title, of_kind)| {
        let word = title.replace("differences", "");
        let word = word.replace("of the two platforms", "between the platforms");
        format!("{} {}", of_kind.len(), word.trim())
    });
    counted.collect::<Vec<_>>().join(", ")
}

fn introduced(letter: &str, side: &Side) -> Markup {
    html! {
        section class="side" {
            h2 { span class="letter" { (letter) } " " (visible(&side.file)) }
            dl {
                @for (name, value) in &side.about {
                    div { dt { (name) } dd { (visible(value)) } }
                }
            }
        }
    }
}

/// Open if somebody has to act, folded otherwise.
fn group(kind: Kind, title: &str, differences: &[&Difference]) -> Markup {
    let areas = areas(differences);
    html! {
        details class=(if kind == Kind::Undeclared { "undeclared" } else { "other" }) open[kind == Kind::Undeclared] {
            summary {
                span class="title" { (title) ": " (differences.len()) }
                " " span class="areas" { (counted(&areas)) }
            }
            @for (area, of_area) in &areas {
                table {
                    caption { (visible(area)) }
                    thead { tr { th scope="col" { "path" } th scope="col" { "A" } th scope="col" { "B" } } }
                    tbody {
                        @for one in of_area {
                            tr {
                                th scope="row" { (visible(&one.path)) }
                                td data-side="A" { (value(&one.path, &one.a)) }
                                td data-side="B" { (value(&one.path, &one.b)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A value; a SHA-256 is shortened, and is whole in its title.
fn value(path: &str, text: &str) -> Markup {
    html! {
        @if is_secret(path, text) { span class="absent" { "a secret" } }
        @else if let Some(short) = shortened(text) { span class="hash" title=(text.trim_matches('"')) { (short) } }
        @else if text == "absent" { span class="absent" { "absent" } }
        @else { (visible(text)) }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;
    use serde_json::json;

    use super::super::Side;
    use super::page;
    use crate::launch::snapshot::{Difference, Kind};

    fn difference(kind: Kind, path: &str, a: &str, b: &str) -> Difference {
        Difference {
            kind,
            path: path.to_owned(),
            a: a.to_owned(),
            b: b.to_owned(),
        }
    }

    #[test]
    fn the_page_is_as_it_was_looked_at() {
        let sides = [
            Side::new(
                "sagemaker.json",
                &json!({"platform": "sagemaker", "flavor": "training", "role": "training",
                    "job": {"name": "ranker-7"}, "topology": {"host": "algo-1"},
                    "image": {"system": "debian"}, "python": {"version": "3.11.7"}, "version": "0.1.0"}),
            ),
            Side::new(
                "<b>.json",
                &json!({"platform": "kubernetes", "job": {"name": null}}),
            ),
        ];
        let hash = |digit: &str| format!("\"{}\"", digit.repeat(64));
        let differences = [
            difference(
                Kind::Undeclared,
                "python.distributions.numpy.version",
                "\"1.26.4\"",
                "\"2.1.0\"",
            ),
            difference(
                Kind::Undeclared,
                "variables.GREETING",
                &hash("a"),
                &hash("b"),
            ),
            difference(Kind::Undeclared, "variables.<script>", &hash("c"), "absent"),
            difference(Kind::Undeclared, "variables.PIN", "absent", "\"secret\""),
            difference(Kind::Declared, "variables.STAGE", &hash("d"), &hash("e")),
            difference(Kind::Platforms, "lifecycle.grace_seconds", "120", "25"),
            difference(
                Kind::Harmless,
                "topology.hosts",
                "[\"algo-1\"]",
                "[\"ranker-7-0\"]",
            ),
        ];
        expect_file!["page.html"].assert_eq(&page(&sides, &differences));
        let equal = page(&sides, &[]);
        assert!(
            equal.contains("<h1>No undeclared difference</h1>"),
            "{equal}"
        );
    }
}
