//! The job as sagemaker-training-toolkit 5.1.4 shows it to a script: `SM_*` variables, and
//! hyperparameters as arguments. Pure: the workload, the texts and the platform's own
//! documents in; names and values out.

mod arguments;
mod hyperparameters;
mod inherited;
mod python;
mod resources;
mod variables;

use std::fmt;
use std::path::Path;

#[cfg(feature = "cli")]
pub(crate) use arguments::arguments;
pub(crate) use inherited::{inherited, problem as inherited_problem};
pub(crate) use variables::view;

use crate::problems::Problems;
use crate::workload::{Texts, Workload};

/// What the view is made of.
pub(crate) struct Job<'a> {
    pub(crate) workload: &'a Workload,
    /// The hyperparameters' texts, and the order in which they came: each by its place there.
    pub(crate) values: &'a Texts,
    pub(crate) order: &'a [u32],
    /// Where the job's directories lie, those that are not there included.
    pub(crate) base: &'a Path,
    /// SageMaker's own documents, as they are; without them they are made of the workload.
    pub(crate) resource_config: Option<&'a str>,
    pub(crate) input_data_config: Option<&'a str>,
    pub(crate) cpus: u32,
    pub(crate) neuron_cores: u32,
    pub(crate) program: Option<&'a str>,
    pub(crate) training_module: Option<&'a str>,
    pub(crate) model_parallel: Option<&'a str>,
    pub(crate) smddprun: bool,
    pub(crate) smddpmprun: bool,
    pub(crate) region: Option<&'a str>,
}

/// The variables, in the toolkit's order.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) variables: Vec<(String, String)>,
    /// Variables and arguments that are left out, and why, one sentence each.
    pub(crate) problems: Problems,
}

/// No value: it may be a secret.
impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.variables.iter().map(|(name, _)| name).collect();
        f.debug_struct("View")
            .field("variables", &names)
            .field("problems", &self.problems)
            .finish()
    }
}
