//! Links, and the list of pages.

use lyftlearn_conformance::programs::repository;

use crate::page;

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = page::all();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for page in &pages {
        for link in &page.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            tried += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                page.path.parent().unwrap().join(file)
            };
            let Ok(target) = target.canonicalize() else {
                wrong.push(format!("{}: {link}: no such file", page.name()));
                continue;
            };
            // The site has no other files of the repository.
            let docs = repository().join("docs").canonicalize().unwrap();
            if page.name().starts_with("docs/") && !target.starts_with(docs) {
                wrong.push(format!("{}: {link} is not on the site", page.name()));
            }
            let found = pages
                .iter()
                .find(|other| other.path.canonicalize().unwrap() == target);
            let known =
                found.is_some_and(|other| other.anchors.iter().any(|known| known == anchor));
            if !anchor.is_empty() && !known {
                wrong.push(format!("{}: {link}: no such heading", page.name()));
            }
        }
    }
    assert!(tried > 100, "the links were not read: {tried}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_summary_lists_every_page() {
    let pages = page::all();
    let summary = pages
        .iter()
        .find(|page| page.name() == "docs/SUMMARY.md")
        .unwrap();
    let mut listed: Vec<String> = summary
        .links
        .iter()
        .map(|link| format!("docs/{link}"))
        .collect();
    listed.sort();
    let there = pages.iter().map(page::Page::name);
    let mut there: Vec<String> = there
        .filter(|name| name.starts_with("docs/") && name != "docs/SUMMARY.md")
        .collect();
    there.sort();
    assert_eq!(listed, there);
}
