//! What a program sees: the view that a start has delivered, read back.

#[cfg(feature = "cli")]
use std::collections::BTreeMap;
use std::path::Path;
#[cfg(feature = "cli")]
use std::path::PathBuf;

use crate::contract::delivered;
#[cfg(any(feature = "agent", feature = "cli"))]
use crate::contract::limits;
use crate::error::Error;
use crate::facts::Facts;
#[cfg(feature = "agent")]
use crate::facts::Whose;
#[cfg(feature = "agent")]
use crate::held::Directory;
use crate::platform;
use crate::resolve::{Resolved, resolve};
#[cfg(any(feature = "agent", feature = "cli"))]
use crate::workload::Secret;
#[cfg(feature = "agent")]
use crate::workload::{CredentialPlan, Origin};
use crate::workload::{Process, Texts, Workload};

/// What a program sees: the view that `run` or `exec` delivered to it, or, where
/// nothing did (a bypassed ENTRYPOINT), the same view resolved here.
///
/// ```
/// use lyftlearn_runtime::{Facts, Platform, current};
///
/// let facts = Facts::empty().with_var("KUBERNETES_SERVICE_HOST", "10.0.0.1");
/// assert_eq!(current(&facts)?.workload.platform, Platform::Kubernetes);
/// # Ok::<(), lyftlearn_runtime::Error>(())
/// ```
///
/// # Errors
///
/// As [`resolve`]; or when a delivered document does not say what it should.
pub fn current(facts: &Facts) -> Result<View, Error> {
    let mut view = match delivered_workload(facts)? {
        Some(workload) => View {
            workload,
            process: None,
            values: Values::Delivered,
        },
        None => View::from(resolve(facts)?),
    };
    view.process = platform::process(facts)?;
    platform::in_its_round(facts, &mut view.workload.topology)?;
    Ok(view)
}

/// A workload, and its hyperparameters when they are asked for.
#[derive(Clone, Debug)]
pub struct View {
    /// What this container is asked to run.
    pub workload: Workload,
    /// This process's place among those that a launcher has started; `None` where none has
    /// started it.
    pub process: Option<Process>,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    /// In the document that the workload names.
    Delivered,
    Resolved(Texts),
}

impl From<Resolved> for View {
    fn from(resolved: Resolved) -> Self {
        Self {
            workload: resolved.workload,
            process: None,
            values: Values::Resolved(resolved.values),
        }
    }
}

impl View {
    /// What a shim delivered, and nothing of which has been read yet.
    #[cfg(feature = "cli")]
    pub(crate) fn delivered(workload: Workload) -> Self {
        Self {
            workload,
            process: None,
            values: Values::Delivered,
        }
    }

    /// The hyperparameters' values, as texts.
    ///
    /// # Errors
    ///
    /// When the delivered document is gone or broken.
    pub fn hyperparameters(&self, facts: &Facts) -> Result<Texts, Error> {
        match &self.values {
            Values::Resolved(values) => Ok(values.clone()),
            Values::Delivered => match &self.workload.hyperparameters.path {
                Some(path) => platform::delivered_hyperparameters(facts, path),
                None => Ok(Texts::default()),
            },
        }
    }
}

/// The `workload.json` that the environment points at, or that a runtime beside has delivered. One that another user's shim
/// keeps to itself (after `sudo`), or that stayed behind on another node, is no view
/// of ours: then the place is asked again.
fn delivered_workload(facts: &Facts) -> Result<Option<Workload>, Error> {
    let Some(directory) = facts.run_dir() else {
        return Ok(None);
    };
    let path = directory.join(delivered::WORKLOAD_FILE);
    if !facts.may_read(&path) {
        return Ok(None);
    }
    workload_at(facts, &path).map(Some)
}

/// Variables that a shim delivered, read back; `None` where it wrote none.
#[cfg(feature = "cli")]
pub(crate) fn variables_at(
    facts: &Facts,
    path: &Path,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    platform::delivered_variables(facts, path)
}

/// A workload that a shim delivered, read back.
pub(crate) fn workload_at(facts: &Facts, path: &Path) -> Result<Workload, Error> {
    platform::delivered_workload(facts, path)
}

/// The endpoint that this runtime serves, as the run directory tells it.
#[cfg(any(feature = "agent", feature = "cli"))]
pub(crate) fn endpoint(facts: &Facts, run: &Path) -> Option<Endpoint> {
    let directory = run.join(delivered::IDENTITY);
    let text = |path: &Path| {
        let bytes = facts.file(path, limits::KERNEL_FILE_BYTES).ok().flatten()?;
        String::from_utf8(bytes).ok()
    };
    let token_file = directory.join(delivered::IDENTITY_TOKEN);
    Some(Endpoint {
        token: Secret::new(text(&token_file)?),
        uri: text(&directory.join(delivered::IDENTITY_ENDPOINT))?,
        #[cfg(feature = "cli")]
        token_file,
    })
}

/// Where it is, and what it wants to see.
#[cfg(any(feature = "agent", feature = "cli"))]
pub(crate) struct Endpoint {
    pub(crate) uri: String,
    pub(crate) token: Secret,
    #[cfg(feature = "cli")]
    pub(crate) token_file: PathBuf,
}

#[cfg(feature = "agent")]
impl Endpoint {
    /// In this container's run directory, whosever program it belongs to: a child that has become
    /// root asks, too.
    pub(crate) fn here(facts: &Facts) -> Option<Self> {
        let of = |run: Directory| {
            let path = run.path().to_owned();
            endpoint(&facts.clone().with_held(run), &path)
        };
        let configured = facts.configured_directory(Whose::Anybody).and_then(of);
        configured.or_else(|| facts.runtime_beside(Whose::Anybody).and_then(of))
    }

    /// As a source of credentials, which has every role assumed already.
    pub(crate) fn credential_plan(self) -> CredentialPlan {
        CredentialPlan {
            origin: Origin::Container {
                uri: Secret::new(self.uri),
                token: Some(self.token),
                token_file: None,
            },
            ..CredentialPlan::default()
        }
    }
}
