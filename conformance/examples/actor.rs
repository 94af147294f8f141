//! The program of test images: it trains and serves correctly, or fails in one given way.
//!
//! ```text
//! actor train [ok|deaf|calls-home|prints|random|checkpoints|forgets|dirty|cache|leaky-cache|stale-cache|
//!              hides|writes-root|reads|reads-first|silent|floods|litters]
//! actor serve [ok|not-ready|slow-ping|busy|hangs|nonsense-500|dies|wrong|drops|exit-143|fixed-port|writes-root|deaf]
//! actor init [forwards|reaps] PROGRAM [ARG…]     an entry point that does half of PID 1's work
//! actor silent                                   ends without a word
//! actor as MODE PROGRAM [ARG…]                   becomes a program, once it has done one thing wrong:
//!   own-key       keys of somebody else in the environment, where the platform has given an identity
//!   stale-keys    an endpoint that gives the same key for ever
//!   asks-alone    asks the machine's own metadata where there is no identity
//!   argv          the secret that it was given becomes an argument of a process
//!   fails-at X    ends with 3 where X is: variables and files that are there or, after !, are not
//!   sets-at X     sets a variable where X is
//!   other-zone    another time zone for servers than for trainings
//!   resize        a setting that processes next to the program do not have
//! python3 -c CODE    is this program, too: as if it had the package, it reports workload.json
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
    let mut words: Vec<String> = std::env::args().collect();
    if words.remove(0).ends_with("python3") {
        return python(&words);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["train", mode @ ..] => train(mode.first().copied().unwrap_or("ok")),
        ["serve", mode @ ..] => serve(mode.first().copied().unwrap_or("ok")),
        ["init", mode, program @ ..] => init(mode, program),
        ["as", "fails-at", place, program @ ..] => {
            if is_at(place) {
                println!("this is {place}");
                std::process::exit(3);
            }
            become_program("", program);
        }
        ["as", "sets-at", place, program @ ..] => {
            become_program(if is_at(place) { "sets" } else { "" }, program);
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

/// Whether all of these variables and files are there, and those after a `!` are not.
fn is_at(place: &str) -> bool {
    place.split(',').all(|one| {
        let name = one.trim_start_matches('!');
        let there = std::env::var(name).is_ok() || std::path::Path::new(name).is_file();
        there != one.starts_with('!')
    })
}

/// Says what the package's attributes would, or something else in one of them. Other code fails.
fn python(words: &[String]) {
    let code = words.last().map_or("", String::as_str);
    if !code.contains("GetSetDescriptorType") {
        std::process::exit(1);
    }
    let directory = std::env::var("LYFTLEARN_RUN_DIR").unwrap_or_default();
    let text = std::fs::read_to_string(format!("{directory}/workload.json")).unwrap_or_default();
    let workload: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let mut said = serde_json::Map::new();
    for name in [
        "platform",
        "flavor",
        "role",
        "job",
        "paths",
        "topology",
        "resources",
    ] {
        said.insert(name.to_owned(), workload[name].clone());
    }
    if let Ok(role) = std::env::var("PYTHON_SAYS") {
        said.insert("role".to_owned(), role.into());
    }
    println!("{}", serde_json::Value::Object(said));
}

/// Writes where only a writable root lets it.
fn write_root() {
    if let Err(err) = std::fs::write("/state", "") {
        println!("cannot write /state: {err}");
        std::process::exit(1);
    }
}

/// Reads a large file of the image.
fn read_filler() {
    std::fs::read("/opt/filler").unwrap();
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
    if mode == "reads-first" || mode == "silent" {
        read_filler();
    }
    if mode == "silent" {
        return;
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
        "reads" => read_filler(),
        "writes-root" => write_root(),
        "floods" => floods(),
        "litters" => litters(),
        _ => {}
    }
    if let Some(code) = hyperparameters["code"].as_str() {
        std::process::exit(if mode == "hides" {
            0
        } else {
            code.parse().unwrap()
        });
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

/// One checkpoint at the start, or going on from it, which takes no time.
fn checkpoints(mode: &str) {
    let file = "/opt/ml/checkpoints/first";
    if std::fs::exists(file).unwrap() && mode == "checkpoints" {
        println!("resumed from first");
        std::fs::write("/opt/ml/model/model.txt", "a model").unwrap();
        std::process::exit(0);
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
        "sets" => {
            becoming.env("ONLY_HERE", "1");
        }
        "resize" => {
            becoming.env("LYFTLEARN_RUNTIME_LIFECYCLE_RESIZE_SECONDS", "7");
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
    if &*mode == "deaf" {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.thread_block().unwrap();
    } else if &*mode != "drops" {
        signal_hook::flag::register(Signal::SIGTERM as i32, Arc::clone(&told)).unwrap();
    }
    if &*mode == "writes-root" {
        write_root();
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
                    let _ = answer(stream, &mode, &open);
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

fn answer(mut stream: TcpStream, mode: &str, open: &AtomicUsize) -> std::io::Result<()> {
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
        let busy = open.load(Ordering::Relaxed) > 1;
        if (busy && mode == "busy") || (mode == "slow-ping" && body.is_empty()) {
            pause(2600);
        } else if busy && mode == "hangs" {
            pause(60_000);
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
