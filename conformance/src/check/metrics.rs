//! Whether what a program counts arrives, scraped in a pod and pushed in a job.

use std::time::Duration;

use super::running;
use super::start::{ended, last};
use super::{Seen, Subject};
use crate::place::{Order, Place, Word};
use crate::probe::metrics::{Counted, DOGSTATSD, PYTHON, STATSD, SUM, sum_of_lines, sum_of_page};
use crate::probe::standin;
use crate::trouble::Result;

/// Where a pod's metrics are scraped.
const PORT: &str = "9102";

fn order(subject: &Subject, place: Place, word: Word, words: &[&str]) -> Result<Order> {
    let mut order = running::order(subject, place, word, &subject.job(None)?);
    order.probe = true;
    let (host, port) = standin::STATSD;
    order
        .variables
        .push(("STATSD_HOST".to_owned(), host.to_string()));
    order
        .variables
        .push(("STATSD_PORT".to_owned(), port.to_string()));
    order.variables.extend(running::probe_variables(words));
    Ok(order)
}

fn told(log: &str) -> Option<Counted> {
    log.lines()
        .find_map(|line| serde_json::from_str(line.trim_end()).ok())
}

fn judged(counted: Option<Counted>, sum: impl Fn(&str) -> u64, none: &str) -> Seen {
    let Some(counted) = counted else {
        return Seen::failed(none, "a program that runs");
    };
    let mut wrong = Vec::new();
    for (way, name, there) in [
        ("StatsD", STATSD, counted.statsd.is_some()),
        ("DogStatsD", DOGSTATSD, counted.dogstatsd.is_some()),
        ("rt.metrics", PYTHON, counted.python),
    ] {
        let got = sum(name);
        if !there && way != "rt.metrics" {
            wrong.push(format!("the environment names no server for {way}"));
        } else if there && got != SUM {
            wrong.push(format!("{got} of {SUM} arrived over {way}"));
        }
    }
    if !wrong.is_empty() {
        return Seen::failed(
            wrong.join("; "),
            "all counted values, including the last ones",
        );
    }
    if counted.python {
        Seen::passed()
    } else {
        Seen::noted(
            "python3 of this image cannot import lyftlearn_runtime: rt.metrics was not tested",
        )
    }
}

/// Pushed to a server of StatsD.
fn in_a_job(subject: &Subject) -> Result<Seen> {
    let place = Place::SagemakerTraining;
    let session = subject.session()?;
    let order = order(subject, place, Word::Train, &["count"])?;
    let (container, end) = session.run(&order, subject.limit(60))?;
    let lines = session.ask(&container, &["read", standin::LINES], &[])?;
    let lines = String::from_utf8_lossy(&lines).into_owned();
    let none = format!("{}: {}", ended(end.code), last(&end.log));
    let seen = judged(told(&end.log), |name| sum_of_lines(&lines, name), &none);
    Ok(seen.at(place).with_log(&end.log))
}

/// Scraped while the program runs.
fn in_a_pod(subject: &Subject) -> Result<Seen> {
    let place = Place::KubernetesPod;
    let session = subject.session()?;
    let order = order(subject, place, Word::Serve, &["count", "and", "hold"])?;
    let (container, mut following) = session.begin(&order, subject.limit(60))?;
    following.until(Duration::from_secs(20), &subject.stop, |log| {
        told(log).is_some()
    })?;
    let all = |page: &str| {
        [STATSD, DOGSTATSD]
            .iter()
            .all(|name| sum_of_page(page, name) == SUM)
    };
    let mut page = String::new();
    for _ in 0..10 {
        let said = session.ask(&container, &["get", PORT, "/metrics"], &[]);
        subject.stop.check()?;
        page = said
            .map(|page| String::from_utf8_lossy(&page).into_owned())
            .unwrap_or_default();
        if all(&page) {
            break;
        }
    }
    // One that has ended cannot be asked to.
    let _ = session.signal(&container, "TERM");
    let end = session.end(&container, following)?;
    let none = format!("{}: {}", ended(end.code), last(&end.log));
    let seen = judged(told(&end.log), |name| sum_of_page(&page, name), &none);
    Ok(seen.at(place).with_log(&end.log))
}

pub(super) fn arrive(subject: &Subject) -> Result<Vec<Seen>> {
    Ok(vec![in_a_job(subject)?, in_a_pod(subject)?])
}
