//! A page of Markdown: its blocks of code with the comments before them, its links and its headings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lyftlearn_conformance::programs::repository;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) blocks: Vec<Block>,
    pub(crate) links: Vec<String>,
    pub(crate) anchors: Vec<String>,
}

pub(crate) struct Block {
    /// The first word after the fence.
    pub(crate) language: String,
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Comments before it, without their marks.
    pub(crate) comments: Vec<String>,
}

impl Block {
    /// What follows `NAME:` in a comment.
    pub(crate) fn comment(&self, name: &str) -> Option<&str> {
        self.comments
            .iter()
            .find_map(|comment| comment.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }
}

impl Page {
    /// The name that a report shows.
    pub(crate) fn name(&self) -> String {
        self.path
            .strip_prefix(repository())
            .unwrap()
            .display()
            .to_string()
    }

    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut page = Self {
            path,
            blocks: Vec::new(),
            links: Vec::new(),
            anchors: Vec::new(),
        };
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        let mut comments = Vec::new();
        let (mut heading, mut block) = (None::<String>, None::<Block>);
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Html(html) | Event::InlineHtml(html) => {
                    let inside = html.trim().strip_prefix("<!--");
                    comments.extend(
                        inside
                            .and_then(|text| text.strip_suffix("-->"))
                            .map(|text| text.trim().to_owned()),
                    );
                }
                Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(info) => {
                            info.split([' ', ',']).next().unwrap_or("").to_owned()
                        }
                        CodeBlockKind::Indented => String::new(),
                    };
                    block = Some(Block {
                        language,
                        text: String::new(),
                        line: text[..range.start].lines().count() + 1,
                        comments: std::mem::take(&mut comments),
                    });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let count = used.entry(anchor.clone()).or_default();
                    page.anchors.push(match *count {
                        0 => anchor,
                        count => format!("{anchor}-{count}"),
                    });
                    *count += 1;
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Text(part) | Event::Code(part) => {
                    if let Some(block) = &mut block {
                        block.text.push_str(&part);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                    comments.clear();
                }
                _ => {}
            }
        }
        page
    }
}

/// As GitHub and mdBook make it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.map(|letter| {
        if letter == ' ' {
            '-'
        } else {
            letter.to_ascii_lowercase()
        }
    })
    .collect()
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Every page that people read. Those in cases are documents of these.
pub(crate) fn all() -> Vec<Page> {
    let here = repository();
    let mut paths = Vec::new();
    below(&here.join("docs"), &mut paths);
    below(&here.join("examples"), &mut paths);
    for entry in std::fs::read_dir(&here).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    paths.extend(
        ["conformance/README.md", "lyftlearn-runtime-py/README.md"].map(|name| here.join(name)),
    );
    paths.sort();
    paths.into_iter().map(Page::read).collect()
}

/// Those of which every block is tested here. The others belong to tests of their own.
pub(crate) fn tested() -> Vec<Page> {
    let of = ["docs/", "README.md", "CONTRIBUTING.md", "SECURITY.md"];
    let mut pages = all();
    pages.retain(|page| of.iter().any(|prefix| page.name().starts_with(prefix)));
    pages
}
