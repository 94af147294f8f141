//! The credentials: their source, the time of a fetch, and their ARN.

use super::{Finding, Patient, Verdict};

#[cfg(not(feature = "agent"))]
pub(super) fn check(_: &Patient) -> Vec<Finding> {
    let detail = "not checked: this build lacks the feature agent";
    vec![Finding::new("identity", Verdict::Skipped, detail)]
}

#[cfg(feature = "agent")]
pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let mut findings = vec![told(patient)];
    findings.extend(lost_profiles(patient));
    let runtime = match super::super::credentials::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            findings.push(Finding::new("identity", Verdict::Failed, error.to_string()));
            return findings;
        }
    };
    findings.extend(runtime.block_on(asked(patient)));
    findings
}

/// Variables that choose a profile that no file has.
#[cfg(feature = "agent")]
fn lost_profiles(patient: &Patient) -> Vec<Finding> {
    use crate::account;
    use crate::launch::credentials;
    use crate::workload::CredentialMode;

    let account = account::account(&patient.facts, patient.resolved.settings.user.as_deref());
    let lost = credentials::lost_profiles(&patient.facts, account.ok().flatten().as_ref());
    let mode = patient.resolved.workload.credentials.mode;
    let finding = |detail: String| match mode {
        CredentialMode::Broker => Finding::new("identity", Verdict::Note, detail).of("profile"),
        _ => Finding::new("identity", Verdict::Failed, detail)
            .of("profile")
            .fix("unset the variable, or mount the file that has the profile"),
    };
    let about = credentials::about_lost_profiles(&lost, mode == CredentialMode::Broker);
    let about = about.into_iter().filter(|_| mode != CredentialMode::Off);
    about.map(finding).collect()
}

/// What the environment offers, and what becomes of it.
#[cfg(feature = "agent")]
fn told(patient: &Patient) -> Finding {
    use crate::launch::credentials;
    use crate::workload::{CredentialMode, CredentialSource};

    let credentials = &patient.resolved.workload.credentials;
    let source = credentials.source.as_str();
    let (verdict, detail) = match (credentials.mode, credentials.source) {
        (CredentialMode::Off, _) => (Verdict::Note, "withheld by credentials.mode".to_owned()),
        (_, CredentialSource::None) => {
            let without = credentials::without(&patient.resolved);
            let detail = without.unwrap_or("the environment names no source");
            (Verdict::Note, detail.to_owned())
        }
        (CredentialMode::Broker, _) => (Verdict::Ok, format!("{source}, served on loopback")),
        (CredentialMode::Native, CredentialSource::Static | CredentialSource::Profile) => (
            Verdict::Ok,
            format!("{source}, set by the user and left unchanged"),
        ),
        (CredentialMode::Native, _) => (Verdict::Ok, format!("{source}, left unchanged")),
    };
    Finding::new("identity", verdict, detail).of("source")
}

#[cfg(feature = "agent")]
async fn asked(patient: &Patient) -> Vec<Finding> {
    use std::time::{Duration, Instant};

    use crate::credentials::{Cause, caller, source_here};
    use crate::workload::CredentialMode;

    /// One step; there are two, and the whole has less than three of them.
    const STEP: Duration = Duration::from_secs(6);

    if patient.resolved.workload.credentials.mode == CredentialMode::Off {
        return Vec::new();
    }
    let Ok((_, source)) = source_here(&patient.facts) else {
        return vec![
            Finding::new("identity", Verdict::Skipped, "no source to ask").of("credentials"),
        ];
    };
    let since = Instant::now();
    let fetched = tokio::time::timeout(STEP, source.fetch()).await;
    let fetched = match fetched.unwrap_or(Err(Cause::TimedOut)) {
        Ok(fetched) => fetched,
        Err(cause) => {
            return vec![
                Finding::new("identity", Verdict::Failed, cause.to_string())
                    .of("credentials")
                    .took(since)
                    .fix(cure(&cause)),
            ];
        }
    };
    let mut findings = vec![
        Finding::new("identity", Verdict::Ok, "given")
            .of("credentials")
            .took(since),
    ];
    if let Some(seconds) = fetched.skew.filter(|seconds| seconds.abs() > 120) {
        findings.push(
            Finding::new(
                "identity",
                Verdict::Failed,
                format!("{seconds} seconds ahead"),
            )
            .of("clock")
            .fix(
                "AWS rejects requests that are signed with a wrong time: correct the node's clock",
            ),
        );
    }
    let since = Instant::now();
    let who = tokio::time::timeout(
        STEP,
        caller(&patient.resolved.credential_plan, fetched.credentials),
    );
    findings.push(match who.await.unwrap_or(Err(Cause::TimedOut)) {
        Ok(arn) => Finding::new("identity", Verdict::Ok, arn)
            .of("who")
            .took(since),
        Err(cause) => Finding::new("identity", Verdict::Failed, cause.to_string())
            .of("who")
            .took(since)
            .fix(match cause {
                Cause::Roots(_) => cure(&cause),
                _ => {
                    "STS is not reached, or refuses: set AWS_REGION, look at proxies and VPC endpoints"
                }
            }),
    });
    findings
}

#[cfg(feature = "agent")]
fn cure(cause: &crate::credentials::Cause) -> &'static str {
    use crate::credentials::Cause;

    match cause {
        Cause::Refused | Cause::Unreachable | Cause::TimedOut => {
            "check that the node's agent runs and is ready, and check network policies"
        }
        Cause::Status(_) => {
            "check this container's role or Pod Identity association: the endpoint rejected it"
        }
        Cause::TokenFile(_) | Cause::NoTokenFile(_) | Cause::EmptyTokenFile(_) => {
            "mount the token at the path in the variable, readable by this user"
        }
        Cause::Sts { .. } => "check the role's name and its trust policy",
        Cause::StsFailed { .. } | Cause::NoSts { .. } => {
            "STS is not reached, or fails: look at AWS_REGION, at proxies and VPC endpoints"
        }
        Cause::NoRegion => "set AWS_REGION",
        Cause::Roots(_) => {
            "mount the certificates at the path in the variable, or unset the variable"
        }
        _ => "run lyftlearn-runtime inspect: it shows why this source was chosen",
    }
}
