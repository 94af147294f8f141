//! CloudWatch's Embedded Metric Format, on stdout or to CloudWatch's agent.

use std::cell::Cell;
use std::time::Duration;

use super::documents::documents;
use super::stdout::Stdout;
use crate::metrics::region::Snapshot;
use crate::metrics::routes::deltas::Deltas;
use crate::metrics::routes::link::Link;
use crate::metrics::routes::statsd::sender::Keep;
use crate::workload::Emf;

/// A pipe takes so much in one piece, and the program writes to the same one (PIPE_BUF).
const LINE_BYTES: usize = 4_096;
/// A packet takes 65,507.
const PACKET_BYTES: usize = 60_000;

pub(crate) struct Sender {
    emf: Emf,
    common: Vec<(String, String)>,
    deltas: Deltas,
    keep: Keep,
    way: Way,
}

enum Way {
    Stdout(Stdout),
    Agent(Link),
}

impl Sender {
    pub(in crate::metrics::routes) fn new(
        emf: Emf,
        common: Vec<(String, String)>,
        (known, keep): (Vec<u8>, Keep),
    ) -> Self {
        Self {
            way: match emf.agent.clone() {
                None => Way::Stdout(Stdout::new()),
                Some(agent) => Way::Agent(Link::new(agent)),
            },
            emf,
            common,
            deltas: Deltas::known(&known),
            keep,
        }
    }

    /// Sends a document after the other. Once one has not gone, the next are for later.
    pub(in crate::metrics::routes) async fn tell(
        &mut self,
        snapshot: &Snapshot,
        now: Duration,
        left: &Cell<u64>,
    ) {
        let bytes = match self.way {
            Way::Stdout(_) => LINE_BYTES,
            Way::Agent(_) => PACKET_BYTES,
        };
        let to = (&self.emf, self.common.as_slice());
        let documents = documents(&self.deltas, snapshot, to, now, bytes);
        left.set(documents.iter().map(|document| document.values).sum());
        for document in documents {
            let line = document.text.as_bytes();
            let gone = match &mut self.way {
                Way::Stdout(stdout) => stdout.write(line.to_owned()).await,
                Way::Agent(link) => link.send(line).await == line.len(),
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
    pub(in crate::metrics::routes) async fn close(&mut self) {
        if let Way::Agent(link) = &mut self.way {
            link.close().await;
        }
    }
}
