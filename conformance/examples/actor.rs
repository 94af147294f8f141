//! The program of test images: it trains and serves well, or fails in one way that it is told to.
//!
//! ```text
//! actor train [ok|deaf]
//! actor serve [ok|not-ready|slow-ping|nonsense-500|dies|wrong|drops|exit-143|fixed-port]
//! actor init [forwards|reaps] PROGRAM [ARG…]     an entry point that does half of PID 1's work
//! actor silent                                   ends without a word
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
use std::net::{TcpListener, TcpStream};
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
    std::fs::write("/opt/ml/model/model.txt", "a model").unwrap();
    println!("validation:accuracy=0.97");
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
    // After the stop, those whose connections wait already are still served.
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
