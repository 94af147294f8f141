//! How credentials are obtained. The platform fills it in, `credentials` uses it, and nothing shows it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A text that no report, log or `Debug` shows. It is written out for one reader only: PID 1
/// hands it to its agent in memory.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    #[cfg_attr(
        not(any(feature = "agent", feature = "cli")),
        allow(dead_code, reason = "who asks waits on a network")
    )]
    /// For the code that needs the value; never for output.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How credentials are obtained, with everything that this needs. Opaque: only
/// [`credentials`](crate::Credentials) and the agent use it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "who asks waits on a network")
)]
pub struct CredentialPlan {
    pub(crate) origin: Origin,
    /// Where STS is asked.
    pub(crate) region: Option<String>,
    /// STS somewhere else than where its region says.
    pub(crate) sts_endpoint: Option<String>,
    /// The role to have instead of the origin's.
    pub(crate) assume: Option<Assumption>,
    /// Further roles by name, each with its ARN.
    pub(crate) roles: BTreeMap<String, String>,
    /// What sessions are called.
    pub(crate) session_name: String,
    /// The program starts only with an identity.
    pub(crate) required: bool,
    /// How long such a start waits for it, in seconds.
    pub(crate) startup_seconds: u32,
    /// Roots of trust for all of AWS, if the environment names them.
    pub(crate) roots: Option<Roots>,
    /// The setting `user`: the program's account.
    #[serde(default)]
    pub(crate) user: Option<String>,
}

/// A file of roots of trust, which count instead of the machine's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "who asks waits on a network")
)]
pub(crate) struct Roots {
    /// The variable with the name.
    pub(crate) variable: String,
    pub(crate) file: PathBuf,
}

/// Nothing of it is anybody's business.
impl fmt::Debug for CredentialPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Where credentials come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "who asks waits on a network")
)]
pub(crate) enum Origin {
    /// Keys in the environment.
    Environment,
    /// A shared profile, whatever it leads to; `None` where it is the SDK's to choose.
    Profile { name: Option<String> },
    /// A token file that STS takes.
    WebIdentity { role: String, token_file: PathBuf },
    /// An endpoint in the container-credentials protocol.
    Container {
        uri: Secret,
        token: Option<Secret>,
        token_file: Option<PathBuf>,
    },
    /// The instance's metadata service.
    Imds,
    /// Nowhere.
    #[default]
    None,
}

/// A role that is assumed with the origin's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Assumption {
    pub(crate) role: String,
    pub(crate) duration_seconds: Option<u32>,
    pub(crate) external_id: Option<String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}
