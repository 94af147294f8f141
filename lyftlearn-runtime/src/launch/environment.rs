//! Gathers the layers of a program's environment; another module lays them over each other.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::credentials;
use super::secrets::Obtained;
use super::statsd;
use crate::account::Account;
use crate::contract::{aws, linux};
use crate::deliver::{
    Environment, Layers, Pointed, Presented, SecretVariable, changes, delivered, environment,
    launchers, point, spark,
};
use crate::error::Error;
use crate::facts::Facts;
use crate::platform::{self, DocumentVariable};
use crate::resolve::Resolved;
use crate::toolkit;
use crate::workload::Workload;

pub(crate) struct Gathered {
    image: Vec<(OsString, OsString)>,
    documents: Vec<(OsString, OsString, PathBuf)>,
    ours: Vec<(String, OsString)>,
    optional: Vec<(String, String)>,
    taken: Vec<String>,
    secrets: Vec<SecretVariable>,
}

impl Gathered {
    /// `delivered` is what delivery named for `workload`, `optional` what it names where
    /// there is room.
    pub(crate) fn new(
        facts: &Facts,
        workload: &Workload,
        variables: &[DocumentVariable],
        delivered: &[(String, OsString)],
        optional: &[(String, String)],
        presented: &Presented,
        pointed: &Pointed,
    ) -> Result<Self, Error> {
        let image = platform::image_variables(facts)?;
        let credentials = changes(presented, found(facts, &image, variables));
        let statsd = point(pointed, found(facts, &image, variables));
        let spark = spark(workload.spark.as_ref(), found(facts, &image, variables));
        let launchers = launchers(workload, found(facts, &image, variables));
        let documents = variables.iter().map(|variable| {
            (
                OsString::from(&variable.name),
                OsString::from(&variable.value),
                variable.document.clone(),
            )
        });
        let variable = |name: &str| facts.text(name).map(Cow::into_owned);
        let inherited = toolkit::inherited(workload, variable).iter();
        let inherited: Vec<String> = inherited.map(|name| (*name).to_owned()).collect();
        let ours = delivered.iter().cloned();
        let ours = ours.chain(region(facts, workload)).chain(credentials.set);
        let ours = ours.chain(statsd.set).chain(spark.set).chain(launchers.set);
        Ok(Self {
            image,
            documents: documents.collect(),
            ours: ours.collect(),
            optional: optional.to_vec(),
            taken: [
                credentials.taken,
                statsd.taken,
                spark.taken,
                launchers.taken,
                inherited,
            ]
            .concat(),
            secrets: Vec::new(),
        })
    }

    /// The same, with secrets.
    pub(crate) fn with(mut self, obtained: Obtained) -> Self {
        self.secrets = obtained.variables;
        self
    }

    /// What a start with these settings would deliver. Next to a runtime that serves credentials,
    /// the credentials are those.
    pub(crate) fn planned(facts: &Facts, resolved: &Resolved) -> Result<Self, Error> {
        let ours = delivered(&resolved.workload, resolved.settings.python_exceptions);
        Self::new(
            facts,
            &resolved.workload,
            &resolved.variables,
            &ours,
            &resolved.toolkit.variables,
            &credentials::beside(facts, &resolved.workload, &resolved.settings, None),
            &statsd::beside(facts, &resolved.workload, &resolved.settings),
        )
    }

    /// Names of inherited variables that the program does not get.
    pub(crate) fn gone(&self, facts: &Facts) -> Vec<String> {
        let found = facts.vars().iter();
        found
            .filter_map(|(name, _)| name.to_str())
            .filter(|name| self.taken.iter().any(|taken| taken == name))
            .filter(|name| !self.ours.iter().any(|(set, _)| set == name))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The whole environment of a program that runs as `account`.
    pub(crate) fn environment(
        &self,
        facts: &Facts,
        argv: &[OsString],
        account: Option<&Account>,
    ) -> Result<Environment, Error> {
        let mut environment = environment(&self.layers(facts), argv)?;
        // An engine has said where root is at home.
        if let Some(account) = account {
            let variables = &mut environment.variables;
            variables.retain(|(name, _)| name != linux::HOME);
            variables.push((linux::HOME.into(), account.home.clone().into()));
        }
        Ok(environment)
    }

    pub(crate) fn layers<'a>(&'a self, facts: &'a Facts) -> Layers<'a> {
        Layers {
            found: facts.vars(),
            image: &self.image,
            documents: &self.documents,
            ours: &self.ours,
            optional: &self.optional,
            taken: &self.taken,
            secrets: &self.secrets,
        }
    }
}

/// Every variable that the program would have without this runtime, low to high.
fn found<'a>(
    facts: &'a Facts,
    image: &'a [(OsString, OsString)],
    documents: &'a [DocumentVariable],
) -> impl Iterator<Item = (&'a OsStr, &'a OsStr)> + Clone {
    let documents = documents.iter();
    let documents =
        documents.map(|variable| (OsStr::new(&variable.name), OsStr::new(&variable.value)));
    let found = facts.vars().iter();
    let of_image = found.clone().filter(|pair| image.contains(pair));
    let others = found.filter(|pair| !image.contains(pair));
    let bare = |(name, value): &'a (OsString, OsString)| (name.as_os_str(), value.as_os_str());
    of_image.map(bare).chain(documents).chain(others.map(bare))
}

/// What the program does without, in a sentence.
pub(crate) fn no_room(left_out: &[String]) -> Option<String> {
    const LISTED: usize = 4;
    let first = left_out.get(..LISTED.min(left_out.len()))?.join(", ");
    let more = match left_out.len().checked_sub(LISTED) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    (!left_out.is_empty()).then(|| {
        format!("left out, because the environment is over the kernel's limit: {first}{more}")
    })
}

/// Both names of the region, when either is known.
fn region(facts: &Facts, workload: &Workload) -> Vec<(String, OsString)> {
    let region = platform::region(facts, workload.job.arn.as_deref());
    region.map_or_else(Vec::new, |region| {
        [aws::REGION, aws::DEFAULT_REGION]
            .map(|name| (name.to_owned(), OsString::from(&region)))
            .into()
    })
}
