//! Destinations of job state events: whether a request to each would be signed, and whether somebody
//! is there. **No event is sent.**

use super::{Finding, Patient, Verdict};

#[cfg(not(feature = "agent"))]
pub(super) fn check(_: &Patient) -> Vec<Finding> {
    let detail = "not sent: this build lacks the feature agent";
    vec![Finding::new("events", Verdict::Skipped, detail)]
}

#[cfg(feature = "agent")]
pub(super) use with_agent::check;

#[cfg(feature = "agent")]
mod with_agent {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::{Finding, Patient, Verdict};
    use crate::cli::credentials::runtime;
    use crate::credentials::{Fetched, source_here};
    use crate::events::Sender;
    use crate::held::Directory;
    use crate::requests::{Reached, Unreached, reach};
    use crate::workload::events::{Destination, Plan};
    use crate::workload::{CredentialPlan, Voice};

    /// For the credentials, and then for each address of a destination.
    const STEP: Duration = Duration::from_secs(4);

    pub(in crate::cli::doctor) fn check(patient: &Patient) -> Vec<Finding> {
        let skipped = |detail: &str| vec![Finding::new("events", Verdict::Skipped, detail)];
        let Some(shown) = &patient.resolved.workload.events else {
            return skipped("no destination: events.to is empty");
        };
        if shown.speaks == Voice::Nothing {
            return skipped("this container sends no events");
        }
        let plan = patient.resolved.events.clone().unwrap_or_default();
        let identity = (plan.to.iter().any(Destination::is_signed)).then(|| identity(patient));
        let identity = identity.unwrap_or(Err(String::new()));
        // One that hangs is not to hide the others.
        let mut findings: Vec<Finding> = std::thread::scope(|scope| {
            let credential_plan = &patient.resolved.credential_plan;
            let (plan, identity) = (&plan, &identity);
            let asked = plan.to.iter().map(|destination| {
                scope.spawn(move || one(destination, plan, credential_plan, identity))
            });
            let asked: Vec<_> = asked.collect();
            let found = asked.into_iter().filter_map(|asked| asked.join().ok());
            found.collect()
        });
        let planned: Vec<String> = plan.to.iter().map(Destination::shown).collect();
        let left_out = shown.to.iter().filter(|to| !planned.contains(to));
        findings.extend(left_out.map(|to| {
            Finding::new(
                "events",
                Verdict::Failed,
                "events cannot be sent there from here",
            )
            .of(to)
            .fix("see the notes above: AWS credentials and a region are required")
        }));
        findings
    }

    /// The credentials that sign requests, or why there are none.
    fn identity(patient: &Patient) -> Result<Fetched, String> {
        let (_, source) = source_here(&patient.facts).map_err(|error| error.to_string())?;
        let runtime = runtime().map_err(|error| error.to_string())?;
        let fetched = runtime.block_on(async { tokio::time::timeout(STEP, source.fetch()).await });
        match fetched {
            Ok(Ok(fetched)) => Ok(fetched),
            Ok(Err(cause)) => Err(cause.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    fn one(
        destination: &Destination,
        plan: &Plan,
        credential_plan: &CredentialPlan,
        identity: &Result<Fetched, String>,
    ) -> Finding {
        let since = Instant::now();
        let found = |verdict, detail: String| {
            let finding = Finding::new("events", verdict, detail);
            finding.of(destination.shown()).took(since)
        };
        let failed = |detail: String, fix: &str| found(Verdict::Failed, detail).fix(fix);
        let sender = Sender::new(plan, credential_plan.roots.clone(), None);
        let signed = match (destination.is_signed(), identity) {
            (false, _) => "",
            (true, Ok(identity)) if sender.signs(destination, identity) => {
                "requests would be signed, and "
            }
            (true, Ok(_)) => {
                let fix = "correct events.to or AWS_ENDPOINT_URL: it is not a URL";
                return failed("its address is malformed".to_owned(), fix);
            }
            (true, Err(why)) => {
                let detail = format!("requests cannot be signed: {why}");
                return failed(detail, "see the identity check above");
            }
        };
        let Some(url) = sender.address(destination) else {
            let Destination::File { path } = destination else {
                return found(Verdict::Skipped, "it has no address".to_owned());
            };
            return match appendable(path) {
                Ok(()) => found(Verdict::Ok, "writable".to_owned()),
                Err(why) => failed(
                    format!("not writable: {why}"),
                    "mount a volume that the program's user can write to, or set another file",
                ),
            };
        };
        match reach(&url, credential_plan.roots.as_ref(), STEP) {
            Ok(reached) => {
                let how = match reached {
                    Reached::Plainly => "the host answers",
                    Reached::ByTls => "the host answers by TLS",
                    Reached::Proxy => "the proxy answers; the host behind it was not tested",
                };
                found(Verdict::Ok, format!("{signed}{how}"))
            }
            Err(unreached) => {
                let (detail, fix) = told(unreached);
                failed(detail, fix)
            }
        }
    }

    fn appendable(path: &Path) -> Result<(), std::io::ErrorKind> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(std::io::ErrorKind::InvalidInput);
        };
        let directory = Directory::of_a_program(parent, None).map_err(|err| err.kind())?;
        let access = rustix::fs::OFlags::RDWR;
        match directory.open_with(Path::new(name), access) {
            Ok(_) => Ok(()),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
                let write = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
                let writable = rustix::fs::access(parent, write);
                writable.map_err(|errno| std::io::Error::from(errno).kind())
            }
            Err(err) => Err(err.kind()),
        }
    }

    fn told(unreached: Unreached) -> (String, &'static str) {
        let (detail, fix) = match unreached {
            Unreached::NotAnAddress => (
                "its address is not a URL",
                "check events.to and AWS_ENDPOINT_URL",
            ),
            Unreached::NoName => (
                "the name does not resolve",
                "check events.to, AWS_REGION and the cluster's DNS",
            ),
            Unreached::Nobody => (
                "nothing answers there",
                "check network policies, VPC endpoints, HTTPS_PROXY and NO_PROXY",
            ),
            Unreached::NoTls => (
                "the server there does not speak TLS",
                "check the port in events.to, and the proxies and load balancers in front of the host",
            ),
            Unreached::Untrusted => (
                "its certificate is not trusted here",
                "set SSL_CERT_FILE or AWS_CA_BUNDLE to the file of its root certificates",
            ),
            Unreached::NoRoots { report } => {
                let fix =
                    "mount the certificates at the path in the variable, or unset the variable";
                return (report, fix);
            }
        };
        (detail.to_owned(), fix)
    }

    #[cfg(test)]
    mod tests {
        use expect_test::expect;

        use super::{Unreached, told};

        #[test]
        fn every_way_not_to_be_reached_has_its_sentence_and_its_cure() {
            let all = [
                Unreached::NotAnAddress,
                Unreached::NoName,
                Unreached::Nobody,
                Unreached::NoTls,
                Unreached::Untrusted,
                Unreached::NoRoots {
                    report: "AWS_CA_BUNDLE names /roots, which does not exist".to_owned(),
                },
            ];
            let all = all
                .map(told)
                .map(|(detail, fix)| format!("{detail}: {fix}\n"));
            expect![[r#"
                its address is not a URL: check events.to and AWS_ENDPOINT_URL
                the name does not resolve: check events.to, AWS_REGION and the cluster's DNS
                nothing answers there: check network policies, VPC endpoints, HTTPS_PROXY and NO_PROXY
                the server there does not speak TLS: check the port in events.to, and the proxies and load balancers in front of the host
                its certificate is not trusted here: set SSL_CERT_FILE or AWS_CA_BUNDLE to the file of its root certificates
                AWS_CA_BUNDLE names /roots, which does not exist: mount the certificates at the path in the variable, or unset the variable
            "#]].assert_eq(&all.concat());
        }
    }
}
