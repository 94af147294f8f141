//! CloudWatch's Embedded Metric Format, on stdout or to CloudWatch's agent.

use std::cell::Cell;
use std::time::Duration;

use super::Plan;
use super::documents::documents;
use super::stdout::Stdout;
use crate::contract::delivered;
use crate::metrics::region::Snapshot;
use crate::metrics::routes::deltas::Deltas;
use crate::metrics::routes::interval;
use crate::metrics::routes::link::Link;
use crate::metrics::routes::means::Keep;
use crate::metrics::routes::{Means, Running, Selection};

/// CloudWatch keeps a value for each minute.
const EVERY: Duration = Duration::from_secs(60);
/// A pipe takes so much in one piece, and the program writes to the same one (PIPE_BUF).
const LINE_BYTES: usize = 4_096;
/// A packet takes 65,507.
const PACKET_BYTES: usize = 60_000;

pub(super) fn start(plan: &Plan, means: &Means) -> Running {
    let (known, keep) = means.sent_before(delivered::METRICS_SENT_EMF);
    let sender = Sender {
        target: match plan.agent.clone() {
            None => Target::Stdout(Stdout::new()),
            Some(agent) => Target::Agent(Link::new(agent)),
        },
        plan: plan.clone(),
        common: means.labels.clone(),
        deltas: Deltas::known(&known),
        keep,
    };
    // CloudWatch charges for each metric, so only the program's metrics are sent.
    interval::start(sender, means.counted(Selection::Programs))
}

struct Sender {
    plan: Plan,
    common: Vec<(String, String)>,
    deltas: Deltas,
    keep: Keep,
    target: Target,
}

enum Target {
    Stdout(Stdout),
    Agent(Link),
}

impl interval::Sender for Sender {
    fn every(&self) -> Duration {
        EVERY
    }

    /// Sends a document after the other. Once one has not gone, the next are for later.
    async fn send(&mut self, snapshot: &Snapshot, now: Duration, left: &Cell<u64>) {
        let bytes = match self.target {
            Target::Stdout(_) => LINE_BYTES,
            Target::Agent(_) => PACKET_BYTES,
        };
        let to = (&self.plan, self.common.as_slice());
        let documents = documents(&self.deltas, snapshot, to, now, bytes);
        left.set(documents.iter().map(|document| document.values).sum());
        for document in documents {
            let line = document.text.as_bytes();
            let gone = match &mut self.target {
                Target::Stdout(stdout) => stdout.write(line.to_owned()).await,
                Target::Agent(link) => link.send(line).await == line.len(),
            };
            if !gone {
                break;
            }
            left.set(left.get() - document.values);
            document.record(&mut self.deltas);
        }
        if let Some(document) = self.deltas.document() {
            (self.keep)(&document);
        }
    }

    /// Lets the agent read to the end.
    async fn close(&mut self) {
        if let Target::Agent(link) = &mut self.target {
            link.close().await;
        }
    }
}
