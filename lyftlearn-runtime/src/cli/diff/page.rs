//! The same for a browser: one file, nothing loaded from anywhere.

use crate::launch::snapshot::{Difference, Kind};
use crate::visible::visible;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c1e21}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%;table-layout:fixed}\
td,th{border-bottom:1px solid #d8dbe0;padding:.35rem .5rem;text-align:left;overflow-wrap:anywhere;vertical-align:top}\
td{font-family:ui-monospace,monospace;font-size:13px}.undeclared h2{color:#b3261e}.none{color:#5f6570}\
@media(prefers-color-scheme:dark){body{background:#16181c;color:#e4e6ea}td,th{border-color:#3a3f47}.undeclared h2{color:#f2736b}}";

pub(super) fn page(a: &str, b: &str, differences: &[Difference]) -> String {
    let mut body = String::new();
    for (kind, title) in Kind::ALL {
        let group: Vec<&Difference> = differences.iter().filter(|one| one.kind == kind).collect();
        let class = match kind {
            Kind::Undeclared if !group.is_empty() => "undeclared",
            _ => "other",
        };
        body.push_str(&format!(
            "<section class=\"{class}\"><h2>{}: {}</h2>\n",
            escape(title),
            group.len()
        ));
        if group.is_empty() {
            body.push_str("<p class=\"none\">None.</p>");
        } else {
            body.push_str(&format!(
                "<table><tr><th>what</th><th>{}</th><th>{}</th></tr>\n",
                escape(a),
                escape(b)
            ));
            for one in group {
                body.push_str(&format!(
                    "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                    escape(&one.path),
                    escape(&one.a),
                    escape(&one.b)
                ));
            }
            body.push_str("</table>");
        }
        body.push_str("</section>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>lyftlearn-runtime diff</title>\
         <style>{STYLE}</style>\n<h1>{} and {}</h1>\n{body}</html>\n",
        escape(a),
        escape(b)
    )
}

fn escape(text: &str) -> String {
    visible(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
