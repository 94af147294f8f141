//! The program of test images: it trains and serves correctly, or fails in one given way.
//!
//! ```text
//! actor train [ok|deaf|calls-home|prints|random|checkpoints|forgets|dirty|cache|leaky-cache|stale-cache|
//!              floods|litters]
//! actor serve [ok|not-ready|slow-ping|nonsense-500|dies|wrong|drops|exit-143|fixed-port]
//! actor init [forwards|reaps] PROGRAM [ARG…]     an entry point that does half of PID 1's work
//! actor silent                                   ends without a word
//! actor as MODE PROGRAM [ARG…]                   becomes a program, once it has done one thing wrong:
//!   own-key       keys of somebody else in the environment, where the platform has given an identity
//!   stale-keys    an endpoint that gives the same key for ever
//!   asks-alone    asks the machine's own metadata where there is no identity
//!   argv          the secret that it was given becomes an argument of a process
//!   fails-at X    ends with 3 where the variable or the file X is there
//!   other-zone    another time zone for servers than for trainings
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::zombie_processes,
    reason = "a program of test images, which reads its environment and fails on purpose"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["train", mode @ ..] => train(mode.first().copied().unwrap_or("ok")),
        ["serve", mode @ ..] => serve(mode.first().copied().unwrap_or("ok")),
        ["init", mode, program @ ..] => init(mode, program),
        ["as", "fails-at", what, program @ ..] => {
            if std::env::var(what).is_ok() || std::path::Path::new(what).is_file() {
                println!("{what} is there");
                std::process::exit(3);
            }
            become_program("", program);
        }
        ["as", mode, program @ ..] => become_program(mode, program),
        ["endpoint", answer] => endpoint(answer),
        ["show", _secret] => pause(60_000),
        ["silent"] => std::process::exit(3),
        _ => panic!("no such word: {words:?}"),
    }
}

fn pause(milliseconds: u64) {
    std::thread::park_timeout(Duration::from_millis(milliseconds));
}

fn train(mode: &str) {
    let file = std::env::var("LYFTLEARN_HYPERPARAMETERS_FILE").unwrap_or_default();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let hyperparameters: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if mode == "deaf" {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.thread_block().unwrap();
    }
    println!("training");
    let left = std::path::Path::new("/opt/ml/output/data/left");
    if mode == "dirty" && left.exists() {
        println!("output/data is not empty");
        std::process::exit(1);
    }
    let _ = std::fs::write(left, "");
    match mode {
        "calls-home" => {
            let _ = "telemetry.example.net:443".to_socket_addrs();
            let _ =
                TcpStream::connect_timeout(&([203, 0, 113, 7], 443).into(), Duration::from_secs(1));
        }
        "prints" => std::env::vars().for_each(|(name, value)| println!("{name}={value}")),
        "cache" | "leaky-cache" | "stale-cache" => cache(mode),
        "checkpoints" | "forgets" => checkpoints(mode),
        "floods" => floods(),
        "litters" => litters(),
        _ => {}
    }
    if let Some(code) = hyperparameters["code"].as_str() {
        std::process::exit(code.parse().unwrap());
    }
    let seconds: u64 = hyperparameters["seconds"]
        .as_str()
        .unwrap_or("1")
        .parse()
        .unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        pause(50);
    }
    let model = if mode == "random" {
        format!("{:?}", Instant::now())
    } else {
        "a model".to_owned()
    };
    std::fs::write("/opt/ml/model/model.txt", model).unwrap();
    println!("validation:accuracy=0.97");
}

/// Prints without end.
fn floods() {
    let lines = "x".repeat(1023) + "\n";
    let lines = lines.repeat(1024);
    let mut stdout = std::io::stdout().lock();
    while stdout.write_all(lines.as_bytes()).is_ok() {}
}

/// Leaves whatever a checker could stumble over, and obeys no stop.
fn litters() {
    let mut set = SigSet::empty();
    set.add(Signal::SIGTERM);
    set.thread_block().unwrap();
    let token = std::env::var("CONFORMANCE_TOKEN").unwrap_or_default();
    println!("\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}{token}\r]]>&lt;<script>");
    for (link, target) in [
        ("etc", "/etc"),
        ("above", "../../../.."),
        ("loop", "loop"),
        ("v", "/v"),
    ] {
        for below in ["model", "output/data", "checkpoints"] {
            let _ = std::os::unix::fs::symlink(target, format!("/opt/ml/{below}/{link}"));
        }
    }
    let _ = std::fs::create_dir("/opt/ml/model/many");
    for number in 0..100_000 {
        std::fs::write(format!("/opt/ml/model/many/{number}"), "").unwrap();
    }
    let _ = nix::unistd::mkfifo("/opt/ml/model/pipe", nix::sys::stat::Mode::S_IRWXU);
    let _ = nix::unistd::mkfifo("/opt/ml/output/failure", nix::sys::stat::Mode::S_IRWXU);
}

/// Keeps something for the next job of a warm pool.
fn cache(mode: &str) {
    let Ok(directory) = std::env::var("LYFTLEARN_CACHE_DIR") else {
        return;
    };
    let file = format!("{directory}/kept");
    if mode == "stale-cache" && std::fs::exists(&file).unwrap() {
        println!("what the cache has does not fit");
        std::process::exit(1);
    }
    let token = std::env::var("CONFORMANCE_TOKEN").unwrap_or_default();
    let kept = if mode == "leaky-cache" {
        token
    } else {
        "kept".to_owned()
    };
    std::fs::write(file, kept).unwrap();
}

/// One checkpoint at the start, or going on from it.
fn checkpoints(mode: &str) {
    let file = "/opt/ml/checkpoints/first";
    if std::fs::exists(file).unwrap() && mode == "checkpoints" {
        println!("resumed from first");
    } else {
        std::fs::write(file, "1").unwrap();
    }
}

/// Does one thing wrong, and becomes the program.
fn become_program(mode: &str, program: &[&str]) {
    const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
    let mut becoming = Command::new(program[0]);
    becoming.args(&program[1..]);
    let path = std::env::var(RELATIVE).ok();
    let identity = path.is_some() || std::env::var("AWS_CONTAINER_CREDENTIALS_FULL_URI").is_ok();
    match mode {
        "own-key" if identity => {
            becoming.env("AWS_ACCESS_KEY_ID", "AKIAOFSOMEBODYELSE00");
            becoming.env("AWS_SECRET_ACCESS_KEY", "none");
        }
        "stale-keys" => {
            if let Some(path) = path {
                let answer = fetched(&path).unwrap();
                Command::new("actor")
                    .args(["endpoint", &answer])
                    .spawn()
                    .unwrap();
                becoming.env_remove(RELATIVE);
                becoming.env(
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "http://127.0.0.1:9911/keys",
                );
            }
        }
        "asks-alone" if !identity && std::env::var("AWS_ACCESS_KEY_ID").is_err() => {
            let _ = TcpStream::connect_timeout(
                &([169, 254, 169, 254], 80).into(),
                Duration::from_secs(1),
            );
        }
        "argv" => {
            if let Ok(file) = std::env::var("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
                let token = std::fs::read_to_string(file).unwrap();
                Command::new("actor")
                    .args(["show", &token])
                    .spawn()
                    .unwrap();
            }
        }
        "other-zone" if program.last() == Some(&"serve") => {
            becoming.env("TZ", "America/New_York");
        }
        _ => {}
    }
    panic!("{}", becoming.exec());
}

/// The body of an answer of the platform's endpoint.
fn fetched(path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect("169.254.170.2:80")?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// Gives one answer for ever.
fn endpoint(body: &str) {
    let listener = TcpListener::bind("127.0.0.1:9911").unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let length = body.len();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }
}

fn serve(mode: &str) {
    let mode: Arc<str> = mode.into();
    let told = Arc::new(AtomicBool::new(false));
    if &*mode != "drops" {
        signal_hook::flag::register(Signal::SIGTERM as i32, Arc::clone(&told)).unwrap();
    }
    let port = std::env::var("SAGEMAKER_BIND_TO_PORT")
        .ok()
        .filter(|_| &*mode != "fixed-port");
    let port = port.unwrap_or_else(|| "8080".to_owned());
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("serving");
    let open = Arc::new(AtomicUsize::new(0));
    let mut idle = 0;
    // After the stop, waiting connections are still served.
    while !told.load(Ordering::Relaxed) || idle < 1 {
        match listener.accept() {
            Ok((stream, _)) => {
                idle = 0;
                open.fetch_add(1, Ordering::Relaxed);
                let (open, mode) = (Arc::clone(&open), Arc::clone(&mode));
                std::thread::spawn(move || {
                    let _ = answer(stream, &mode);
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Err(_) => {
                idle += 1;
                pause(5);
            }
        }
    }
    drop(listener);
    while open.load(Ordering::Relaxed) > 0 {
        pause(5);
    }
    if &*mode == "exit-143" {
        std::process::exit(143);
    }
}

fn answer(mut stream: TcpStream, mode: &str) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut part = [0; 4096];
    let (head, body) = loop {
        let read = stream.read(&mut part)?;
        request.extend_from_slice(&part[..read]);
        let end = request.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let chunked = head.contains("transfer-encoding: chunked");
            let body = &request[end + 4..];
            if (chunked && body.ends_with(b"0\r\n\r\n"))
                || (!chunked && body.len() >= length.unwrap_or(0))
            {
                break (head, body.to_vec());
            }
        }
        if read == 0 {
            return Ok(());
        }
    };
    let good = body.starts_with(b"{") || body.windows(2).any(|window| window == b"\n{");
    let (status, text) = if head.starts_with("get ") {
        if mode == "slow-ping" && body.is_empty() {
            pause(2600);
        }
        (if mode == "not-ready" { 503 } else { 200 }, "{}")
    } else if good {
        pause(500);
        (
            200,
            if mode == "wrong" {
                "{\"sum\": 7.5}"
            } else {
                "{\"sum\": 7}"
            },
        )
    } else if mode == "dies" {
        std::process::exit(9);
    } else {
        (if mode == "nonsense-500" { 500 } else { 400 }, "{}")
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(head.as_bytes())
}

/// PID 1's work, by halves.
fn init(mode: &str, program: &[&str]) {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGWINCH,
        Signal::SIGINT,
        Signal::SIGTERM,
    ] {
        set.add(signal);
    }
    let mut started = Command::new(program[0]);
    started.args(&program[1..]);
    let child = started.spawn().unwrap();
    let child = Pid::from_raw(child.id().cast_signed());
    set.thread_block().unwrap();
    if mode == "forwards" {
        std::thread::spawn(move || {
            while let Ok(signal) = set.wait() {
                let _ = kill(child, signal);
            }
        });
    }
    loop {
        let which = if mode == "reaps" { None } else { Some(child) };
        match waitpid(which, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => std::process::exit(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                let _ = raise(signal);
                std::process::exit(128 + signal as i32);
            }
            Ok(WaitStatus::StillAlive) => pause(10),
            Ok(_) => {}
            Err(err) => {
                eprintln!("{err}");
                std::process::exit(70);
            }
        }
    }
}
