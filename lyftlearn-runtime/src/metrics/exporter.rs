//! Metrics of a Rust program that uses the crate without the shim: the `metrics`
//! facade, and out as Prometheus text.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::workload::Workload;

/// A recorder for the `metrics` facade, and the handle that renders what it holds.
/// Every series carries the platform, the role and, where it has one, the job's name.
///
/// ```
/// use lyftlearn_runtime::{Facts, metrics, resolve};
///
/// let workload = resolve(&Facts::empty())?.workload;
/// let (recorder, handle) = metrics::recorder(&workload);
/// ::metrics::with_local_recorder(&recorder, || ::metrics::counter!("rows_read").increment(512));
/// assert!(handle.render().contains(r#"rows_read{platform="local",role="job"} 512"#));
/// # Ok::<(), lyftlearn_runtime::Error>(())
/// ```
#[must_use]
pub fn recorder(workload: &Workload) -> (PrometheusRecorder, PrometheusHandle) {
    let mut builder = PrometheusBuilder::new()
        .add_global_label("platform", workload.platform.as_str())
        .add_global_label("role", workload.role.as_str());
    if let Some(job) = &workload.job.name {
        builder = builder.add_global_label("job", job);
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    (recorder, handle)
}
