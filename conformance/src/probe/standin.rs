//! Answers in a container's network in place of a platform's services: credentials, secrets, a
//! StatsD server. Every other address is local as well and refuses connections. All requests are
//! recorded.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::netlink;
use crate::engine::HOST;

/// ECS' endpoint of keys, which SageMaker has, too.
pub const CONTAINER: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
/// EKS Pod Identity's.
pub const POD_IDENTITY: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 23);
/// Where the StatsD server listens: not at 8125, which a program may want for itself.
pub const STATSD: (Ipv4Addr, u16) = (CONTAINER, 8127);
/// How every key of the stand-in begins; its end as seconds since 1970 follows in hexadecimal digits.
pub const KEY: &str = "ASIACONFORMA";
/// A secret that Secrets Manager does not have.
pub const MISSING: &str = "conformance-missing";

/// The requests, one JSON text for each line.
pub const ASKED: &str = "/asked";
/// What the StatsD server received.
pub const LINES: &str = "/statsd";
/// Exists once all of them listen; empty, or the reason why they do not.
pub const READY: &str = "/ready";

/// How long a key is good where its path does not say.
const LIFETIME: u64 = 6 * 3600;
/// A request that is longer is cut.
const REQUEST: u64 = 1 << 20;

/// The stand-ins' configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Services {
    /// What every secret is.
    pub canary: String,
    /// Keys of secrets that are JSON objects, by the secret's name.
    pub objects: BTreeMap<String, Vec<String>>,
}

/// One name or address that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asked {
    /// By DNS.
    Name(String),
    /// `tcp 203.0.113.7:443`
    Address(String),
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(what) | Self::Address(what) => f.write_str(what),
        }
    }
}

/// The second since 1970 in which a key of the stand-in's ends.
#[must_use]
pub fn end_of(key: &str) -> Option<u64> {
    u64::from_str_radix(key.strip_prefix(KEY)?, 16).ok()
}

/// Starts all of them. They end with this process.
pub(super) fn start(told: &str) -> Result<(), String> {
    let services: Services = serde_json::from_str(told).map_err(|err| err.to_string())?;
    let why = begun(services).err().unwrap_or_default();
    // Renamed into its place: a reader never sees half of it.
    let written =
        std::fs::write("/ready.new", why).and_then(|()| std::fs::rename("/ready.new", READY));
    written.map_err(|err| format!("cannot write {READY}: {err}"))
}

fn begun(services: Services) -> Result<(), String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |err: std::io::Error| format!("cannot {what}: {err}")
    };
    let log = std::fs::File::create(ASKED).map_err(failed("write /asked"))?;
    let lines = std::fs::File::create(LINES).map_err(failed("write /statsd"))?;
    netlink::address(CONTAINER).map_err(failed("add an address"))?;
    netlink::address(POD_IDENTITY).map_err(failed("add an address"))?;
    netlink::everywhere_is_here().map_err(failed("add a route"))?;
    let packets = netlink::packets().map_err(failed("listen to the network"))?;
    std::thread::spawn(move || written_down(packets, log));
    let names =
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53)).map_err(failed("listen at port 53"))?;
    std::thread::spawn(move || no_names(&names));
    let statsd = UdpSocket::bind(STATSD).map_err(failed("listen for StatsD"))?;
    std::thread::spawn(move || received(&statsd, lines));
    for address in [CONTAINER, POD_IDENTITY] {
        let listener = TcpListener::bind((address, 80)).map_err(failed("listen at port 80"))?;
        let services = services.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let services = services.clone();
                std::thread::spawn(move || drop(answer(stream, address, &services)));
            }
        });
    }
    Ok(())
}

/// The StatsD server: every line into a file.
fn received(socket: &UdpSocket, mut lines: std::fs::File) {
    let mut packet = vec![0; 1 << 16];
    while let Ok(length) = socket.recv(&mut packet) {
        let mut text = packet[..length].to_vec();
        text.push(b'\n');
        let _ = lines.write_all(&text);
    }
}

/// A name server that answers at once that it knows no name.
fn no_names(socket: &UdpSocket) {
    let mut packet = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        let Some((_, end)) = question(&packet[..length]) else {
            continue;
        };
        let mut answer = packet[..end].to_vec();
        // An answer: recursion was available, and there is no such name.
        answer[2..12].copy_from_slice(&[0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
        let _ = socket.send_to(&answer, from);
    }
}

/// The name that a DNS packet asks for, and where its question ends.
fn question(packet: &[u8]) -> Option<(String, usize)> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = packet.get(at..at + length.min(63))?;
        labels.push(String::from_utf8_lossy(label).into_owned());
        at += length;
    }
    (at + 4 <= packet.len()).then(|| (labels.join("."), at + 4))
}

fn written_down(packets: netlink::Packets, mut log: std::fs::File) {
    let mut seen = HashSet::new();
    let mut flows = HashSet::new();
    let mut packet = vec![0; 1 << 16];
    while let Ok(length) = packets.next(&mut packet) {
        let Some(asked) = asked(&packet[..length], &mut flows) else {
            continue;
        };
        // A program may ask for names without end.
        if seen.len() < 1000
            && seen.insert(asked.clone())
            && let Ok(line) = serde_json::to_string(&asked)
        {
            let _ = writeln!(log, "{line}");
        }
    }
}

/// What a packet asks for; `None` for answers, and for what stays on loopback.
fn asked(packet: &[u8], flows: &mut HashSet<(SocketAddr, SocketAddr)>) -> Option<Asked> {
    let (protocol, from, to, body) = match packet.first()? >> 4 {
        4 => {
            let bytes = |at: usize| -> Option<Ipv4Addr> {
                let part: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(part))
            };
            let head = usize::from(packet[0] & 15) * 4;
            (
                *packet.get(9)?,
                IpAddr::from(bytes(12)?),
                IpAddr::from(bytes(16)?),
                packet.get(head..)?,
            )
        }
        6 => {
            let bytes = |at: usize| -> Option<Ipv6Addr> {
                let part: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(Ipv6Addr::from(part))
            };
            (
                *packet.get(6)?,
                IpAddr::from(bytes(8)?),
                IpAddr::from(bytes(24)?),
                packet.get(40..)?,
            )
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
    let (from, to) = (
        SocketAddr::new(from, port(0)?),
        SocketAddr::new(to, port(2)?),
    );
    let own = |address: IpAddr| {
        address.is_loopback()
            || address == IpAddr::from(CONTAINER)
            || address == IpAddr::from(POD_IDENTITY)
            || address == IpAddr::from(HOST)
    };
    match protocol {
        // TCP: the first packet of a connection.
        6 => {
            let begins = body.get(13)? & 0x12 == 0x02;
            (begins && !own(to.ip())).then(|| Asked::Address(format!("tcp {to}")))
        }
        17 if to.port() == 53 => question(body.get(8..)?).map(|(name, _)| Asked::Name(name)),
        17 => {
            if flows.contains(&(to, from)) || from.port() == 53 {
                return None;
            }
            if flows.len() < 10_000 {
                flows.insert((from, to));
            }
            (!own(to.ip())).then(|| Asked::Address(format!("udp {to}")))
        }
        _ => None,
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// One request of HTTP.
struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn answer(mut stream: TcpStream, address: Ipv4Addr, services: &Services) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = request(&mut stream)?;
    let (status, kind, body) = match role(&request.body, &services.canary) {
        Some(answer) if request.path == "/" => (200, "text/xml", answer),
        _ => {
            let (status, body) = answered(&request, address, services);
            (status, "application/json", body.to_string())
        }
    };
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// What STS answers with to a form that asks for a role.
fn role(form: &[u8], canary: &str) -> Option<String> {
    let form = String::from_utf8_lossy(form);
    let action = form
        .split('&')
        .find_map(|field| field.strip_prefix("Action="))
        .filter(|action| action.starts_with("AssumeRole"))?;
    let key = key("", canary);
    let part = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    Some(format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <AssumedRoleUser><AssumedRoleId>AROA:conformance</AssumedRoleId>\
         <Arn>arn:aws:sts::111111111111:assumed-role/conformance/conformance</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
         </{action}Result></{action}Response>",
        part("AccessKeyId"),
        part("SecretAccessKey"),
        part("Token"),
        part("Expiration"),
    ))
}

/// A service of Confidant's with one credential.
fn service(name: &str, canary: &str) -> Value {
    let credential = json!({
        "id": "conformance",
        "name": "conformance",
        "revision": 1,
        "enabled": true,
        "credential_keys": ["conformance"],
        "credential_pairs": {"conformance": canary},
        "metadata": {},
    });
    json!({
        "id": name, "revision": 1, "enabled": true, "account": null,
        "credentials": [credential], "blind_credentials": [],
    })
}

fn request(stream: &mut TcpStream) -> std::io::Result<Request> {
    let broken = || std::io::Error::other("not a request");
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let length = stream.read(&mut part)?;
        if length == 0 || bytes.len() as u64 > REQUEST {
            return Err(broken());
        }
        bytes.extend_from_slice(&part[..length]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (
        first.next().unwrap_or_default(),
        first.next().unwrap_or_default(),
    );
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse::<u64>().ok());
    let mut body = bytes[end + 4..].to_vec();
    let missing = length
        .unwrap_or(0)
        .min(REQUEST)
        .saturating_sub(body.len() as u64);
    stream.take(missing).read_to_end(&mut body)?;
    Ok(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body,
    })
}

fn answered(request: &Request, address: Ipv4Addr, services: &Services) -> (u16, Value) {
    if request.method == "GET" {
        if address == POD_IDENTITY && !request.headers.contains_key("authorization") {
            return (401, json!({"message": "no token"}));
        }
        if request.path.starts_with("/v1/credentials")
            || request.path.starts_with("/v2/credentials")
        {
            return (200, key(&request.path, &services.canary));
        }
        if let Some(rest) = request.path.strip_prefix("/v1/services/") {
            let name = rest.split('?').next().unwrap_or_default();
            return (200, service(name, &services.canary));
        }
        return (404, json!({"message": "not found"}));
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let target = request
        .headers
        .get("x-amz-target")
        .map_or("", String::as_str);
    match target {
        "secretsmanager.GetSecretValue" => {
            let name = body["SecretId"].as_str().unwrap_or_default();
            if name == MISSING {
                return (
                    400,
                    json!({"__type": "ResourceNotFoundException", "message": "no such secret"}),
                );
            }
            (
                200,
                json!({"Name": name, "SecretString": secret(name, services)}),
            )
        }
        // Confidant's own token is made with it; the stand-in reads none.
        "TrentService.Encrypt" => (
            200,
            json!({"CiphertextBlob": "eA==", "KeyId": "conformance"}),
        ),
        "AmazonSSM.GetParameters" => {
            let names = body["Names"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            let found = |name: &str| json!({"Name": name, "Type": "SecureString", "Value": secret(name, services)});
            let parameters: Vec<Value> = names.map(found).collect();
            (
                200,
                json!({"Parameters": parameters, "InvalidParameters": []}),
            )
        }
        "AmazonSSM.GetParametersByPath" => {
            let path = body["Path"].as_str().unwrap_or_default();
            let keys = services
                .objects
                .get(path)
                .cloned()
                .unwrap_or_else(|| vec!["conformance".to_owned()]);
            let found = |key: String| json!({"Name": format!("{path}{key}"), "Type": "SecureString", "Value": services.canary});
            let parameters: Vec<Value> = keys.into_iter().map(found).collect();
            (200, json!({"Parameters": parameters}))
        }
        _ => (
            400,
            json!({"__type": "UnknownOperationException", "message": "the checker's stand-in does not know this"}),
        ),
    }
}

/// A secret: the canary, or an object with the canary as its values.
fn secret(name: &str, services: &Services) -> String {
    match services.objects.get(name) {
        None => services.canary.clone(),
        Some(keys) => {
            let object: serde_json::Map<String, Value> = keys
                .iter()
                .map(|key| (key.clone(), json!(services.canary)))
                .collect();
            Value::from(object).to_string()
        }
    }
}

/// A key; `…/lifetime-12` is good for twelve seconds.
fn key(path: &str, canary: &str) -> Value {
    let lifetime = path
        .rsplit_once("lifetime-")
        .and_then(|(_, seconds)| seconds.parse().ok());
    let end = now() + lifetime.unwrap_or(LIFETIME);
    json!({
        "AccessKeyId": format!("{KEY}{end:08X}"),
        "SecretAccessKey": format!("secret-{canary}"),
        "Token": format!("token-{canary}"),
        "Expiration": crate::wait::moment(end),
        "RoleArn": "arn:aws:iam::111111111111:role/conformance",
    })
}

/// Waits until the stand-ins listen or have failed.
pub(super) fn awaited() {
    let _ = crate::wait::within(Duration::from_secs(10), || {
        std::path::Path::new(READY).exists().then_some(())
    });
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Asked, asked, end_of, key, question, role};

    fn udp(from: [u8; 4], from_port: u16, to: [u8; 4], to_port: u16, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
        packet.extend(from);
        packet.extend(to);
        packet.extend(from_port.to_be_bytes());
        packet.extend(to_port.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(body);
        packet
    }

    #[test]
    fn names_and_addresses_are_written_down_and_answers_are_not() {
        let mut flows = HashSet::new();
        let query = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03net\x00\x00\x01\x00\x01";
        let name = Asked::Name("www.example.net".to_owned());
        let packet = udp([127, 0, 0, 1], 4000, [127, 0, 0, 1], 53, query);
        assert_eq!(asked(&packet, &mut flows), Some(name));
        let there = udp([10, 0, 0, 1], 4001, [192, 0, 2, 1], 9, b"x");
        let address = Asked::Address("udp 192.0.2.1:9".to_owned());
        assert_eq!(asked(&there, &mut flows), Some(address));
        let back = udp([192, 0, 2, 1], 9, [10, 0, 0, 1], 4001, b"y");
        assert_eq!(asked(&back, &mut flows), None);
        let own = udp([169, 254, 170, 2], 4002, [169, 254, 170, 2], 8127, b"a:1|c");
        assert_eq!(asked(&own, &mut flows), None);
        let mut first = udp([10, 0, 0, 1], 4003, [203, 0, 113, 7], 443, &[0; 12]);
        first[9] = 6;
        first[20 + 13] = 0x02;
        let address = Asked::Address("tcp 203.0.113.7:443".to_owned());
        assert_eq!(asked(&first, &mut flows), Some(address));
        first[20 + 13] = 0x12;
        assert_eq!(asked(&first, &mut flows), None);
        for cut in 0..packet.len() {
            let _ = asked(&packet[..cut], &mut flows);
            let _ = question(&query[..cut.min(query.len())]);
        }
    }

    #[test]
    fn a_role_is_given_to_who_asks_for_one() {
        let given = role(b"Version=2011-06-15&Action=AssumeRole&RoleArn=x", "c").unwrap();
        assert!(
            given.contains("<AssumeRoleResult>") && given.contains("<SecretAccessKey>secret-c<")
        );
        assert_eq!(role(b"Action=GetCallerIdentity", "c"), None);
        assert_eq!(role(b"{}", "c"), None);
    }

    #[test]
    fn a_key_tells_its_end() {
        let made = key("/v2/credentials/lifetime-12", "c");
        let end = end_of(made["AccessKeyId"].as_str().unwrap()).unwrap();
        assert!((super::now() + 11..=super::now() + 12).contains(&end));
        assert_eq!(end_of("AKIA1"), None);
    }
}
