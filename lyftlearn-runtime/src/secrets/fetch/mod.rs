//! Sources over a network. A process of its own fetches all of them concurrently under one
//! deadline, and ends with its answer.

mod aws;
mod confidant;
mod fernet;
mod parameters;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::content::Content;
use super::fault::{Failure, Server, Why};
use crate::contract::aws as words;
use crate::facts::Facts;
use crate::resolve::Resolved;
use crate::settings::secrets::{Confidant, Source};
use crate::workload::{CredentialPlan, Credentials};

use aws::Aws;

/// The secrets to fetch, and how. It crosses a socket that no other process has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) wanted: Vec<(String, Source)>,
    pub(crate) confidant: Confidant,
    pub(crate) credentials: Credentials,
    pub(crate) credential_plan: CredentialPlan,
    pub(crate) region: Option<String>,
    /// Endpoints that replace the services' own, by the variable that sets them.
    pub(crate) endpoints: BTreeMap<String, String>,
    pub(crate) deadline_seconds: u32,
}

/// The secrets of a workload that must be fetched, and how.
pub(crate) fn request(
    facts: &Facts,
    resolved: &Resolved,
    wanted: Vec<(String, Source)>,
) -> Request {
    let settings = &resolved.settings;
    let workload = &resolved.workload;
    let endpoints = [
        words::ENDPOINT_URL,
        words::SECRETS_MANAGER_ENDPOINT,
        words::SSM_ENDPOINT,
        words::KMS_ENDPOINT,
    ];
    let endpoints = endpoints
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), facts.text(name)?.into_owned())));
    Request {
        wanted,
        confidant: settings.confidant.clone(),
        credentials: workload.credentials.clone(),
        credential_plan: resolved.credential_plan.clone(),
        region: resolved.region(facts),
        endpoints: endpoints.collect(),
        deadline_seconds: settings.secrets_deadline,
    }
}

/// The results, in any order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) found: BTreeMap<String, Content>,
    pub(crate) failures: Vec<Failure>,
}

impl Answer {
    fn add(&mut self, name: String, result: Result<Content, Why>) {
        match result {
            Ok(content) => drop(self.found.insert(name, content)),
            Err(why) => self.failures.push(Failure { name, why }),
        }
    }
}

/// Fetches everything. A secret that does not arrive in time has failed; the others are in the
/// answer.
pub(crate) async fn fetch(request: Request) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(request.deadline_seconds.into());
    let mut answer = Answer::default();
    let wanted = request.wanted.clone();
    let aws = match within(deadline, Server::Credentials, Aws::new(&request, deadline)).await {
        Ok(aws) => Arc::new(aws),
        // Every server needs the caller's credentials.
        Err(why) => {
            for (name, _) in wanted {
                answer.add(name, Err(why.clone()));
            }
            return answer;
        }
    };
    let mut tasks = JoinSet::new();
    let mut parameters = Vec::new();
    for (name, source) in wanted {
        let (aws, settings) = (aws.clone(), request.confidant.clone());
        match source {
            Source::Parameter {
                name: parameter,
                key,
            } => parameters.push((name, parameter, key)),
            Source::SecretsManager { .. } => drop(tasks.spawn(async move {
                let asked = within(deadline, Server::SecretsManager, aws.secret(&source)).await;
                vec![(name, asked)]
            })),
            Source::Parameters { path } => drop(tasks.spawn(async move {
                let asked = parameters::below(&aws, &path);
                vec![(name, within(deadline, Server::ParameterStore, asked).await)]
            })),
            Source::Confidant { service } => drop(tasks.spawn(async move {
                let asked = confidant::service(&aws, &settings, &service);
                vec![(name, within(deadline, Server::Confidant, asked).await)]
            })),
            Source::File { .. } | Source::Variable { .. } => {
                answer.add(name, Err(Why::NotFetched));
            }
        }
    }
    for batch in parameters.chunks(parameters::BATCH) {
        let (aws, batch) = (aws.clone(), batch.to_vec());
        tasks.spawn(async move {
            let asked = parameters::named(&aws, &batch);
            match within(deadline, Server::ParameterStore, asked).await {
                Ok(found) => found,
                Err(why) => (batch.into_iter())
                    .map(|(name, _, _)| (name, Err(why.clone())))
                    .collect(),
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        // A panic has been said, and its secrets are missing from the answer.
        for (name, result) in done.unwrap_or_default() {
            answer.add(name, result);
        }
    }
    answer.failures.sort_by(|a, b| a.name.cmp(&b.name));
    answer
}

async fn within<T>(
    deadline: Instant,
    server: Server,
    asked: impl Future<Output = Result<T, Why>>,
) -> Result<T, Why> {
    tokio::time::timeout_at(deadline, asked)
        .await
        .unwrap_or(Err(Why::Timeout { server }))
}
