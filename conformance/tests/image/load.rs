//! Clients of a server that is about to end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

/// What a client waits for before it gives up; the whole grace.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(10);

/// A server, and the network in which it has its address.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) network: File,
    pub(crate) address: SocketAddr,
}

/// One request, and its status or what became of it instead.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) sent: Instant,
    /// On a connection that had answered before.
    pub(crate) kept: bool,
    pub(crate) status: Result<u16, String>,
}

/// Clients that ask all the time, some on one connection, some on a new one each time.
#[derive(Debug)]
pub(crate) struct Load {
    quit: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<Answer>>>,
}

impl Target {
    /// A thread in the server's network.
    fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(SocketAddr) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let (network, address) = (self.network.try_clone().unwrap(), self.address);
        std::thread::spawn(move || {
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            work(address)
        })
    }

    /// The status of one GET.
    pub(crate) fn get(&self, path: &'static str) -> Result<u16, String> {
        let asked = self.thread(move |address| {
            let mut connection = connect(address)?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: digits\r\n\r\n");
            connection.get_mut().write_all(request.as_bytes())?;
            answer(&mut connection)
        });
        let (status, _) = asked.join().unwrap().map_err(|err| err.to_string())?;
        Ok(status)
    }

    /// Whether the server answers no new connection. It may still be listening: gunicorn's workers
    /// keep the socket open until their last request is answered.
    pub(crate) fn answers_no_more(&self) -> bool {
        let tried = self.thread(|address| {
            let mut connection = connect(address)?;
            connection
                .get_ref()
                .set_read_timeout(Some(Duration::from_secs(1)))?;
            let request = "GET /ping HTTP/1.1\r\nHost: digits\r\nConnection: close\r\n\r\n";
            connection.get_mut().write_all(request.as_bytes())?;
            answer(&mut connection)
        });
        tried.join().unwrap().is_err()
    }

    /// A request that has begun and does not end until the other end of `finish` is dropped.
    pub(crate) fn upload(&self, finish: Receiver<()>) -> JoinHandle<Result<u16, String>> {
        self.thread(move |address| {
            let asked = || {
                let request = invocation(false);
                let (most, rest) = request.split_at(request.len() - 1);
                let mut connection = connect(address)?;
                connection.get_mut().write_all(most.as_bytes())?;
                // Nothing is sent: that the sender is gone is the message.
                let _ = finish.recv();
                connection.get_mut().write_all(rest.as_bytes())?;
                answer(&mut connection)
            };
            let asked: io::Result<(u16, bool)> = asked();
            asked
                .map(|(status, _)| status)
                .map_err(|err| err.to_string())
        })
    }
}

impl Load {
    /// Clients that keep their connection, and as many that do not.
    pub(crate) fn begin(target: &Target, clients: usize) -> Self {
        let quit = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let clients = (0..2 * clients).map(|client| {
            let (quit, answered) = (Arc::clone(&quit), Arc::clone(&answered));
            target.thread(move |address| ask(address, client % 2 == 0, &quit, &answered))
        });
        Self {
            clients: clients.collect(),
            quit,
            answered,
        }
    }

    /// How many requests have been answered, one way or another.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// No new requests; those that were sent still wait for their answers.
    pub(crate) fn end(self) -> Vec<Answer> {
        self.quit.store(true, Ordering::Relaxed);
        let answers = self
            .clients
            .into_iter()
            .map(|client| client.join().unwrap());
        answers.flatten().collect()
    }
}

fn ask(address: SocketAddr, keep: bool, quit: &AtomicBool, answered: &AtomicUsize) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut open: Option<BufReader<TcpStream>> = None;
    while !quit.load(Ordering::Relaxed) {
        let sent = Instant::now();
        let kept = open.is_some();
        let mut asked = || {
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => connect(address)?,
            };
            connection
                .get_mut()
                .write_all(invocation(keep).as_bytes())?;
            let (status, stays) = answer(&mut connection)?;
            open = Some(connection).filter(|_| keep && stays);
            Ok(status)
        };
        let status: io::Result<u16> = asked();
        let status = status.map_err(|err| err.to_string());
        answers.push(Answer { sent, kept, status });
        answered.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(PAUSE);
    }
    answers
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// One image's pixels.
fn invocation(keep: bool) -> String {
    let body = format!("{{\"instances\": [[{}]]}}", ["0"; 64].join(", "));
    let connection = if keep { "keep-alive" } else { "close" };
    format!(
        "POST /invocations HTTP/1.1\r\nHost: digits\r\nConnection: {connection}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads an answer to its end: its status, and whether the connection stays.
fn answer(connection: &mut BufReader<TcpStream>) -> io::Result<(u16, bool)> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_ascii_lowercase()),
        }
    }
    let status = head.first().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let header = |name: &str| head.iter().find_map(|line| line.strip_prefix(name));
    let length = header("content-length: ").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.ok_or_else(broken)?];
    connection.read_exact(&mut body)?;
    let stays = header("connection: ") != Some("close");
    Ok((status.ok_or_else(broken)?, stays))
}
