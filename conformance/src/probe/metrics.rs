//! The probe as a program that counts: by StatsD, by DogStatsD and by the Python package.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::say;

/// The names of the counters, as StatsD writes them.
pub const STATSD: &str = "conformance.statsd";
/// By DogStatsD.
pub const DOGSTATSD: &str = "conformance.dogstatsd";
/// By `rt.metrics`.
pub const PYTHON: &str = "conformance_python";

/// How far each counter is counted; the last of it just before the program's end.
pub const SUM: u64 = 12;

/// The counted metrics.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    /// Where StatsD's lines went, `None` where the environment names no server.
    pub statsd: Option<String>,
    /// The same of DogStatsD.
    pub dogstatsd: Option<String>,
    /// Whether `lyftlearn_runtime` could be imported.
    pub python: bool,
}

const COUNTS: &str = "
import sys
import lyftlearn_runtime as rt
rt.metrics.counter('conformance_python').inc(int(sys.argv[1]))
";

/// A socket that sends lines somewhere.
enum Way {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Way {
    fn to(address: &str) -> Option<Self> {
        if let Some(path) = address.strip_prefix("unix://") {
            let socket = UnixDatagram::unbound().ok()?;
            socket.connect(path).ok()?;
            return Some(Self::Unix(socket));
        }
        let address = address.trim_start_matches("udp://");
        let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
        socket.connect(address).ok()?;
        Some(Self::Udp(socket))
    }

    fn send(&self, line: &str) {
        // A server that does not listen is what the check is to find out.
        let _ = match self {
            Self::Udp(socket) => socket.send(line.as_bytes()),
            Self::Unix(socket) => socket.send(line.as_bytes()),
        };
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(super) fn count() -> Result<(), String> {
    let statsd = variable("STATSD_HOST").map(|host| {
        let port = variable("STATSD_PORT").unwrap_or_else(|| "8125".to_owned());
        format!("{host}:{port}")
    });
    let dogstatsd = variable("DD_DOGSTATSD_URL").or_else(|| {
        let port = variable("DD_DOGSTATSD_PORT").unwrap_or_else(|| "8125".to_owned());
        Some(format!("{}:{port}", variable("DD_AGENT_HOST")?))
    });
    let python = |number: u64| {
        let mut command = Command::new("python3");
        command.args(["-c", COUNTS, &number.to_string()]);
        crate::command::tried(&mut command, Duration::from_secs(30))
            .is_ok_and(|output| output.status.success())
    };
    let counted = Counted {
        python: python(SUM - 1),
        statsd,
        dogstatsd,
    };
    let ways = |address: &Option<String>| address.as_deref().and_then(Way::to);
    let (by_statsd, by_dogstatsd) = (ways(&counted.statsd), ways(&counted.dogstatsd));
    let send = |number: u64| {
        for _ in 0..number {
            if let Some(way) = &by_statsd {
                way.send(&format!("{STATSD}:1|c"));
            }
            if let Some(way) = &by_dogstatsd {
                way.send(&format!("{DOGSTATSD}:1|c|#place:here"));
            }
        }
    };
    send(SUM - 1);
    let text = serde_json::to_string(&counted).map_err(|err| err.to_string())?;
    say(&text)?;
    // The last of it: nothing comes after but the end.
    if counted.python {
        python(1);
    }
    send(1);
    Ok(())
}

/// The sum of a counter in lines of StatsD.
#[must_use]
pub fn sum_of_lines(lines: &str, name: &str) -> u64 {
    let mut sum = 0.0;
    for line in lines.lines() {
        let Some(rest) = line.strip_prefix(name) else {
            continue;
        };
        let Some((values, kind)) = rest.split_once('|') else {
            continue;
        };
        if kind.starts_with('c') {
            // Tags of Lyft's dialect stand before the colon.
            let value = values
                .rsplit_once(':')
                .and_then(|(_, value)| value.parse::<f64>().ok());
            sum += value.unwrap_or_default();
        }
    }
    sum as u64
}

/// The sum of a counter's series on a page of Prometheus'.
#[must_use]
pub fn sum_of_page(page: &str, name: &str) -> u64 {
    let name = name.replace('.', "_");
    let mut sum = 0.0;
    for line in page.lines() {
        let Some(rest) = line.strip_prefix(&name) else {
            continue;
        };
        let rest = rest.strip_prefix("_total").unwrap_or(rest);
        if rest.starts_with('{') || rest.starts_with(' ') {
            let value = rest
                .rsplit_once(' ')
                .and_then(|(_, value)| value.parse::<f64>().ok());
            sum += value.unwrap_or_default();
        }
    }
    sum as u64
}

#[cfg(test)]
mod tests {
    use super::{sum_of_lines, sum_of_page};

    #[test]
    fn counters_are_added_up_in_either_form() {
        let lines = "conformance.statsd:1|c\nconformance.statsd.__a=b:2|c\nconformance.statsd:5|g\nother:1|c\n";
        assert_eq!(sum_of_lines(lines, "conformance.statsd"), 3);
        let page = "# TYPE conformance_statsd_total counter\nconformance_statsd_total 4\n\
                    conformance_statsd_total{a=\"b c\"} 2\nconformance_statsd_other 9\n";
        assert_eq!(sum_of_page(page, "conformance.statsd"), 6);
    }
}
