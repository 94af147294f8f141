//! Parameter Store: names by tens, paths by pages.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::super::content::{Content, Pair, Value};
use super::super::fault::{Server, Why};
use super::aws::{Aws, chosen};

/// What GetParameters takes, and GetParametersByPath gives, at a time.
pub(super) const BATCH: usize = 10;

const SERVER: Server = Server::ParameterStore;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    parameters: Vec<Parameter>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    name: String,
    value: Value,
    /// `:3`, as it was asked for.
    selector: Option<String>,
    version: Option<u64>,
    #[serde(rename = "ARN")]
    arn: Option<String>,
}

/// A secret's name, its parameter and the key of that.
pub(super) type Wanted = (String, String, Option<String>);

/// Up to ten parameters in one call.
pub(super) async fn named(
    aws: &Aws,
    wanted: &[Wanted],
) -> Result<Vec<(String, Result<Content, Why>)>, Why> {
    let names: std::collections::BTreeSet<&String> =
        wanted.iter().map(|(_, parameter, _)| parameter).collect();
    let body = json!({"Names": names, "WithDecryption": true});
    let page: Page = aws
        .call(SERVER, "AmazonSSM.GetParameters", None, &body)
        .await?;
    let mut found = BTreeMap::new();
    for parameter in page.parameters {
        let selector = parameter.selector.unwrap_or_default();
        let version = parameter.version.map(|version| format!(":{version}"));
        for name in [Some(parameter.name), parameter.arn].into_iter().flatten() {
            let plain = name.strip_suffix(&selector).unwrap_or(&name);
            // Whatever it was asked for by, it is this version, too.
            for selector in [Some(&selector), version.as_ref()].into_iter().flatten() {
                found.insert(format!("{plain}{selector}"), parameter.value.clone());
            }
        }
    }
    let answer = |(name, parameter, key): &Wanted| {
        let value = found.get(parameter).cloned().ok_or_else(|| Why::NotThere {
            server: SERVER,
            code: "InvalidParameters".to_owned(),
        });
        let content = value.and_then(|value| chosen(value, key.as_deref()));
        (name.clone(), content)
    };
    Ok(wanted.iter().map(answer).collect())
}

/// Every parameter below a path, page by page; its key is what follows the path, with `_` for
/// `/`.
pub(super) async fn below(aws: &Aws, path: &str) -> Result<Content, Why> {
    let mut pairs = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let mut body = json!({
            "Path": path, "Recursive": true, "WithDecryption": true, "MaxResults": BATCH,
        });
        if let Some(next) = &next {
            body["NextToken"] = next.as_str().into();
        }
        let target = "AmazonSSM.GetParametersByPath";
        let page: Page = aws.call(SERVER, target, None, &body).await?;
        for parameter in page.parameters {
            let key = parameter.name.strip_prefix(path).unwrap_or(&parameter.name);
            pairs.push(Pair {
                key: key.replace('/', "_"),
                value: parameter.value,
                prefix: None,
            });
        }
        match page.next_token.filter(|token| !token.is_empty()) {
            Some(token) => next = Some(token),
            None if pairs.is_empty() => {
                return Err(Why::Empty {
                    path: path.to_owned(),
                });
            }
            None => break,
        }
    }
    pairs.sort_by(|a: &Pair, b: &Pair| a.key.cmp(&b.key));
    Ok(Content::many(pairs))
}
