//! Confidant (lyft/confidant 7.0.0): a token made by KMS, a service's credentials, blind ones
//! decrypted here, and what `confidant-format` 2.7.1 makes of them.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::super::content::{Content, Pair, Value};
use super::super::fault::{Server, Why};
use super::aws::{Aws, now};
use super::fernet;
use crate::requests::{Answered, Unanswered};
use crate::settings::secrets::Confidant;

const SERVER: Server = Server::Confidant;
/// How far a server's clock may be from ours, and how long a token holds (kmsauth's own).
const SKEW: Duration = Duration::from_secs(3 * 60);
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// A key of a credential's metadata.
const OWN_PREFIX: &str = "env_var_prefix";

#[derive(Deserialize)]
struct Service {
    enabled: Option<bool>,
    revision: Option<Json>,
    credentials: Vec<Credential>,
    #[serde(default)]
    blind_credentials: Vec<Blind>,
}

#[derive(Deserialize)]
struct Credential {
    id: Json,
    name: Json,
    revision: Json,
    #[serde(default)]
    metadata: Option<serde_json::Map<String, Json>>,
    #[serde(default)]
    credential_pairs: BTreeMap<String, Value>,
}

/// Everything by region: encrypted pairs, and the key that encrypted them, itself encrypted.
#[derive(Deserialize)]
struct Blind {
    id: Json,
    name: Json,
    revision: Json,
    cipher_type: Option<String>,
    cipher_version: Option<Json>,
    #[serde(default)]
    metadata: Option<serde_json::Map<String, Json>>,
    data_key: BTreeMap<String, String>,
    credential_pairs: BTreeMap<String, String>,
}

/// What `confidant-format --out-format credential_combined` writes.
#[derive(Serialize)]
struct Combined<'a> {
    credentials: BTreeMap<&'a str, &'a Value>,
    credentials_metadata: Metadata<'a>,
    credentials_source: BTreeMap<&'a str, &'a Json>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    credentials: Vec<BTreeMap<&'static str, Json>>,
    revision: &'a Option<Json>,
}

/// Everything that a service may know.
pub(super) async fn service(
    aws: &Aws,
    settings: &Confidant,
    service: &str,
) -> Result<Content, Why> {
    let url = needed(&settings.url, "confidant.url")?;
    let asked = format!("{url}/v1/services/{service}?metadata_only=false");
    let asked: http::Uri = asked.parse().map_err(|_| Why::NotSet {
        key: "confidant.url".to_owned(),
    })?;
    let authorization = authorization(aws, settings).await?;
    let request = || {
        http::Request::get(&asked)
            .header("authorization", &authorization)
            .header("accept", "application/json")
            .body(SdkBody::empty())
            .map_err(|_| Unanswered::Malformed)
    };
    // Its own client asks again after these two.
    let passes = |answered: &Answered| answered.status >= 500 && !decryption_failed(answered);
    let answered = aws.ask(SERVER, request, passes).await?;
    let code = answered.status.to_string();
    match answered.status {
        200 => {}
        401 => return Err(Why::Unknown { server: SERVER }),
        403 => {
            return Err(Why::Denied {
                server: SERVER,
                code,
            });
        }
        404 => {
            return Err(Why::NotThere {
                server: SERVER,
                code,
            });
        }
        500.. => {
            return Err(Why::Failed {
                server: SERVER,
                code,
            });
        }
        _ => {
            return Err(Why::Refused {
                server: SERVER,
                code,
            });
        }
    }
    let service: Service =
        serde_json::from_slice(&answered.body).map_err(|_| Why::Malformed { server: SERVER })?;
    if service.enabled == Some(false) {
        return Err(Why::Disabled);
    }
    let mut blind = Vec::new();
    for credential in &service.blind_credentials {
        blind.push(pairs_of(aws, settings, credential).await?);
    }
    Ok(content(&service, &blind))
}

/// `{"error": "Decryption error."}`: no second question helps.
fn decryption_failed(answered: &Answered) -> bool {
    std::str::from_utf8(&answered.body).is_ok_and(|text| text.contains("Decryption error"))
}

/// HTTP Basic authentication with a kmsauth v2 name and a token that only the caller's role can
/// create.
async fn authorization(aws: &Aws, settings: &Confidant) -> Result<String, Why> {
    let from = needed(&settings.from, "confidant.from")?;
    let to = needed(&settings.to, "confidant.to")?;
    let key = needed(&settings.auth_key, "confidant.auth_key")?;
    let user_type = settings.user_type.as_str();
    let begins = now() - SKEW;
    let payload = json!({"not_before": stamp(begins), "not_after": stamp(begins + LIFETIME)});
    let context = json!({"from": from, "to": to, "user_type": user_type});
    let region = settings.region.as_deref();
    let token = aws
        .encrypt(region, key, payload.to_string().as_bytes(), &context)
        .await?;
    let user = format!("2/{user_type}/{from}");
    Ok(format!(
        "Basic {}",
        BASE64.encode(format!("{user}:{token}"))
    ))
}

fn needed<'a>(value: &'a Option<String>, key: &str) -> Result<&'a str, Why> {
    value.as_deref().ok_or_else(|| Why::NotSet {
        key: key.to_owned(),
    })
}

/// `%Y%m%dT%H%M%SZ`.
fn stamp(time: SystemTime) -> String {
    let seconds = DateTime::from(time).secs();
    let text = DateTime::from_secs(seconds).fmt(Format::DateTime);
    let text = text.expect("the years of a clock have four digits");
    text.replace(['-', ':'], "")
}

/// The pairs of a blind credential, which Confidant itself cannot read.
async fn pairs_of(
    aws: &Aws,
    settings: &Confidant,
    credential: &Blind,
) -> Result<BTreeMap<String, Value>, Why> {
    let undecryptable = || Why::Undecryptable {
        id: plain(&credential.id),
    };
    let region = settings.region.as_deref().or(aws.region());
    let region = region.ok_or(Why::NoRegion)?;
    let version = credential.cipher_version.as_ref();
    let version = version.is_none_or(|version| plain(version) == "2");
    let kind = credential.cipher_type.as_deref();
    if !version || kind.is_some_and(|kind| kind != "fernet") {
        return Err(undecryptable());
    }
    let context = (credential.metadata.as_ref())
        .and_then(|metadata| metadata.get("context")?.get(region))
        .ok_or_else(undecryptable)?;
    let blob = credential.data_key.get(region).ok_or_else(undecryptable)?;
    let token = credential.credential_pairs.get(region);
    let token = token.ok_or_else(undecryptable)?;
    let key = aws
        .decrypt(region, blob, context)
        .await
        .map_err(|why| match why {
            // Its way of saying that this is not the context, or not the key.
            Why::Refused { .. } => undecryptable(),
            other => other,
        })?;
    let pairs = fernet::decrypt(key.bytes(), token.as_bytes()).ok_or_else(undecryptable)?;
    serde_json::from_slice(&pairs).map_err(|_| undecryptable())
}

/// An id or a number as a text, of a length to show.
fn plain(json: &Json) -> String {
    let text = json
        .as_str()
        .map_or_else(|| json.to_string(), str::to_owned);
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || "-_.".contains(*letter);
    text.chars().filter(plain).take(64).collect()
}

/// Both of what `confidant-format` makes, with its quirk: an own prefix that is empty counts
/// for blind credentials, and not for others.
fn content(service: &Service, blind: &[BTreeMap<String, Value>]) -> Content {
    let mut pairs = Vec::new();
    let mut combined = Combined {
        credentials: BTreeMap::new(),
        credentials_metadata: Metadata {
            credentials: Vec::new(),
            revision: &service.revision,
        },
        credentials_source: BTreeMap::new(),
    };
    let open = service.credentials.iter().map(|one| {
        let about = (&one.id, &one.name, &one.revision);
        (about, &one.metadata, &one.credential_pairs, false)
    });
    let blind = service
        .blind_credentials
        .iter()
        .zip(blind)
        .map(|(one, pairs)| {
            let about = (&one.id, &one.name, &one.revision);
            (about, &one.metadata, pairs, true)
        });
    for ((id, name, revision), metadata, of_one, is_blind) in open.chain(blind) {
        let own = metadata
            .as_ref()
            .and_then(|metadata| metadata.get(OWN_PREFIX)?.as_str());
        let own = own.filter(|own| is_blind || !own.is_empty());
        for (key, value) in of_one {
            pairs.push(Pair {
                key: key.clone(),
                value: value.clone(),
                prefix: own.map(str::to_owned),
            });
            combined.credentials.insert(key, value);
            combined.credentials_source.insert(key, id);
        }
        let mut about = BTreeMap::from([
            ("id", id.clone()),
            ("name", name.clone()),
            ("revision", revision.clone()),
        ]);
        if let Some(metadata) = metadata.as_ref().filter(|metadata| !metadata.is_empty()) {
            about.insert("metadata", Json::Object(metadata.clone()));
        }
        combined.credentials_metadata.credentials.push(about);
    }
    Content {
        text: Value::new(as_python(&combined)),
        pairs: Some(pairs),
        file: None,
    }
}

/// `json.dumps(…, sort_keys=True, indent=4, separators=(',', ': '))`.
fn as_python(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    let formatter = Ascii(serde_json::ser::PrettyFormatter::with_indent(b"    "));
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    value
        .serialize(&mut serializer)
        .expect("texts have no failure to report");
    text
}

/// Everything beyond ASCII is escaped.
struct Ascii(serde_json::ser::PrettyFormatter<'static>);

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for letter in fragment.chars() {
            if (' '..='~').contains(&letter) {
                write!(writer, "{letter}")?;
            } else {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
