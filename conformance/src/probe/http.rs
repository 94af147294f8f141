//! The client of an image's server, in the server's own network.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{say, taken};

/// An answer that is longer is cut.
const BODY: u64 = 8 << 20;

/// How many clients send requests at once.
const CLIENTS: usize = 4;
/// SageMaker waits so long for the answer to a probe.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How long after one client the next begins.
const STAGGER: Duration = Duration::from_millis(130);

/// How often it is looked at which connections the server has taken. One that is taken for less is
/// not known to be.
const LOOK: Duration = Duration::from_millis(5);

/// What waiting for readiness found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Seconds until the first 200; `None` when there was none.
    pub seconds: Option<f64>,
    /// The last answer before, or why there was none.
    pub before: String,
    /// The slowest of the ten probes after readiness, in seconds; `None` when one was not answered with 200.
    pub slowest: Option<f64>,
}

/// One answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The status; 0 when there was none.
    pub status: u16,
    /// The body, or why there was no answer.
    pub body: String,
}

/// What clients saw of a server that was stopped meanwhile.
#[derive(Debug, Serialize, Deserialize)]
pub struct Load {
    /// Requests that were answered with 2xx.
    pub answered: usize,
    /// Other answers, each by its first time in milliseconds since 1970.
    pub other: Vec<(u64, String)>,
    /// Requests that were sent and got no whole answer.
    pub lost: Vec<Lost>,
    /// The slowest answer to a probe, in seconds.
    pub slowest_ping: f64,
    /// When connections were refused for good.
    pub refused_at: Option<u64>,
}

/// A request without a whole answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lost {
    /// When it was sent, in milliseconds since 1970.
    pub sent: u64,
    /// Whether the server had taken its connection.
    pub taken: bool,
    /// What the connection ended with.
    pub why: String,
}

/// Milliseconds since 1970, of this machine's clock.
fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn agent(seconds: u64) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(seconds)))
        .http_status_as_error(false)
        // A proxy of the environment does not apply to the server.
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into()
}

/// For requests of which it matters whether they were taken.
fn noting(seconds: u64) -> ureq::Agent {
    ureq::Agent::with_parts(
        agent(seconds).config().clone(),
        taken::Noting,
        ureq::unversioned::resolver::DefaultResolver::default(),
    )
}

fn get(agent: &ureq::Agent, port: u16, path: &str) -> Result<u16, String> {
    let asked = agent
        .get(format!("http://127.0.0.1:{port}{path}"))
        .header("connection", "close")
        .call();
    asked
        .map(|answer| answer.status().as_u16())
        .map_err(|err| err.to_string())
}

/// Probes as the platforms do, until 200 or until the time has passed.
pub(super) fn ready(port: u16, path: &str, seconds: u64) -> Ready {
    // SageMaker waits so long for an answer to a probe.
    let agent = agent(2);
    let began = Instant::now();
    let mut before = "no answer".to_owned();
    while began.elapsed() < Duration::from_secs(seconds) {
        match get(&agent, port, path) {
            Ok(200) => {
                let ready = began.elapsed().as_secs_f64();
                return Ready {
                    seconds: Some(ready),
                    before,
                    slowest: steady(&agent, port, path),
                };
            }
            Ok(status) => before = format!("status {status}"),
            Err(why) => before = why,
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    Ready {
        seconds: None,
        before,
        slowest: None,
    }
}

/// The slowest of ten more probes, if all are answered with 200.
fn steady(agent: &ureq::Agent, port: u16, path: &str) -> Option<f64> {
    let mut slowest = 0.0_f64;
    for _ in 0..10 {
        let asked = Instant::now();
        get(agent, port, path)
            .ok()
            .filter(|status| *status == 200)?;
        slowest = slowest.max(asked.elapsed().as_secs_f64());
    }
    Some(slowest)
}

/// Prints what a path answers with.
pub(super) fn show(port: u16, path: &str) -> Result<(), String> {
    let asked = agent(5)
        .get(format!("http://127.0.0.1:{port}{path}"))
        .call();
    let mut answer = asked.map_err(|err| err.to_string())?;
    let body = answer.body_mut().with_config().limit(BODY).read_to_vec();
    let body = body.map_err(|err| err.to_string())?;
    say(&String::from_utf8_lossy(&body))
}

/// One request.
pub(super) fn post(port: u16, path: &str, kind: &str, body: &[u8]) -> Answer {
    // SageMaker gives an invocation sixty seconds.
    match posted(&agent(60), port, path, kind, body) {
        Ok((status, body)) => Answer { status, body },
        Err(why) => Answer {
            status: 0,
            body: why,
        },
    }
}

fn posted(
    agent: &ureq::Agent,
    port: u16,
    path: &str,
    kind: &str,
    body: &[u8],
) -> Result<(u16, String), String> {
    let url = format!("http://127.0.0.1:{port}{path}");
    let request = agent
        .post(url)
        .header("content-type", kind)
        .header("connection", "close");
    let mut answer = request.send(body).map_err(|err| err.to_string())?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(BODY).read_to_vec();
    let body =
        body.map_err(|err| format!("the response with status {status} was cut off: {err}"))?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Clients that send requests until the server refuses connections or the time has passed. Prints
/// `loaded` once each client has some responses.
pub(super) fn load(
    port: u16,
    path: &str,
    kind: &str,
    body: &[u8],
    ping: &str,
    seconds: u64,
) -> Load {
    let over = AtomicBool::new(false);
    let (answered, told) = (AtomicUsize::new(0), AtomicBool::new(false));
    let started = AtomicU64::new(0);
    let refused_at = Mutex::new(None);
    let (other, lost, slowest) = (
        Mutex::new(Vec::new()),
        Mutex::new(Vec::new()),
        Mutex::new(0.0_f64),
    );
    let until = Instant::now() + Duration::from_secs(seconds);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listens = || match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
        Ok(_) => true,
        Err(err) => err.kind() != ErrorKind::ConnectionRefused,
    };
    // When the probe that waits for its answer was sent. The stop that `loaded` leads to comes only after that
    // answer, or when it is late: a server that is stopped need not answer new probes.
    let waiting: Mutex<Option<Instant>> = Mutex::new(None);
    let locked = || {
        waiting
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    let accepted = Mutex::new(BTreeSet::new());
    let lose = |sent: u64, why: String| {
        let taken = accepted
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .contains(&taken::port());
        let mut lost = lost
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if lost.len() < 100 {
            lost.push(Lost { sent, taken, why });
        }
    };
    let note = |list: &Mutex<Vec<(u64, String)>>, sent: u64, what: String| {
        let mut list = list
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // A server that fails every request needs no longer list.
        if list.len() < 100 {
            list.push((sent, what));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                // In step, all of them would have just begun a request whenever one is answered,
                // and a stop in that moment would find none that is clearly taken.
                let before = started.fetch_add(1, Ordering::Relaxed);
                std::thread::park_timeout(STAGGER * u32::try_from(before).unwrap_or(0));
                let agent = noting(60);
                while !over.load(Ordering::Relaxed) && Instant::now() < until {
                    let sent = now();
                    match posted(&agent, port, path, kind, body) {
                        Ok((200..=299, _)) => {
                            let count = answered.fetch_add(1, Ordering::Relaxed);
                            if count >= 3 * CLIENTS {
                                let waiting = locked();
                                let settled = waiting.is_none_or(|at| at.elapsed() > PATIENCE);
                                if settled && !told.swap(true, Ordering::Relaxed) {
                                    let _ = say("loaded");
                                }
                            }
                        }
                        Ok((status, _)) => note(&other, sent, format!("status {status}")),
                        Err(why) => {
                            if !why.to_ascii_lowercase().contains("refused") {
                                lose(sent, why);
                            }
                            if !listens() {
                                over.store(true, Ordering::Relaxed);
                                let at = refused_at.lock();
                                let mut at = at.unwrap_or_else(std::sync::PoisonError::into_inner);
                                *at = at.or(Some(now()));
                            }
                        }
                    }
                    std::thread::park_timeout(Duration::from_millis(10));
                }
            });
        }
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) && Instant::now() < until {
                let seen = taken::by_server(port);
                accepted
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .extend(seen);
                std::thread::park_timeout(LOOK);
            }
        });
        scope.spawn(|| {
            let agent = agent(10);
            while !over.load(Ordering::Relaxed) && Instant::now() < until {
                let asked = Instant::now();
                let before_the_stop = {
                    let mut waiting = locked();
                    *waiting = Some(asked);
                    !told.load(Ordering::Relaxed)
                };
                let answer = get(&agent, port, ping);
                *locked() = None;
                if before_the_stop || matches!(answer, Ok(200)) {
                    let mut slowest = slowest
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    *slowest = slowest.max(asked.elapsed().as_secs_f64());
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
    });
    let taken = |list: Mutex<Vec<(u64, String)>>| list.into_inner().unwrap_or_default();
    Load {
        answered: answered.into_inner(),
        other: taken(other),
        lost: lost.into_inner().unwrap_or_default(),
        slowest_ping: slowest.into_inner().unwrap_or_default(),
        refused_at: refused_at.into_inner().unwrap_or_default(),
    }
}
