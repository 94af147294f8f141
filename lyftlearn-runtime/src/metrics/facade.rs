//! The `metrics` facade over the region.

use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
    SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusHandle;

use super::exporter::recorder;
use super::region::{self, Aggregate, Region};
use crate::facts::Facts;
use crate::workload::Workload;

/// A recorder for the `metrics` facade that counts in a region.
///
/// ```
/// use lyftlearn_runtime::{Facts, metrics::Recorder, metrics::region::{Region, Value}};
///
/// let region = Region::of(&Facts::empty());
/// metrics::with_local_recorder(&Recorder::over(region), || {
///     metrics::counter!("rows.read", "split" => "train").increment(512);
/// });
/// assert_eq!(region.snapshot().series[0].value, Value::Counter(512.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Recorder(Region);

impl Recorder {
    /// Counts in `region`.
    #[must_use]
    pub fn over(region: Region) -> Self {
        Self(region)
    }
}

/// Installs the recorder that is right here for all of the process. Under
/// `lyftlearn-runtime run` that counts in the container's region, which is exported for the
/// program, and `None` comes back. Anywhere else it is [`recorder`], and its handle comes
/// back for the program to render.
///
/// ```
/// use lyftlearn_runtime::{Facts, metrics, resolve};
///
/// let facts = Facts::capture(Vec::new());
/// let rendered_by_us = metrics::install(&facts, &resolve(&facts)?.workload);
/// ::metrics::counter!("rows_read").increment(512);
/// if let Ok(Some(handle)) = rendered_by_us {
///     assert!(handle.render().contains("rows_read"));
/// }
/// # Ok::<(), lyftlearn_runtime::Error>(())
/// ```
///
/// # Errors
///
/// When a recorder has been installed already.
pub fn install(
    facts: &Facts,
    workload: &Workload,
) -> Result<Option<PrometheusHandle>, metrics::SetRecorderError<()>> {
    let region = Region::of(facts);
    if region.degraded().is_none() {
        let installed = metrics::set_global_recorder(Recorder(region));
        return installed.map(|()| None).map_err(without_recorder);
    }
    let (recorder, handle) = recorder(workload);
    let installed = metrics::set_global_recorder(recorder);
    installed.map(|()| Some(handle)).map_err(without_recorder)
}

fn without_recorder<R>(_: metrics::SetRecorderError<R>) -> metrics::SetRecorderError<()> {
    metrics::SetRecorderError(())
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, about: SharedString) {
        self.describe(&name, unit, &about);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, about: SharedString) {
        self.describe(&name, unit, &about);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, about: SharedString) {
        self.describe(&name, unit, &about);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        named(key).map_or(Counter::noop(), |key| {
            Counter::from_arc(Arc::new(self.0.counter(&key)))
        })
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        named(key).map_or(Gauge::noop(), |key| {
            Gauge::from_arc(Arc::new(self.0.gauge(key, Aggregate::Last)))
        })
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        named(key).map_or(Histogram::noop(), |key| {
            Histogram::from_arc(Arc::new(self.0.histogram(&key)))
        })
    }
}

impl Recorder {
    fn describe(&self, name: &KeyName, unit: Option<Unit>, about: &str) {
        let unit = unit.map_or("", |unit| unit.as_str());
        // The facade has no way to report a failure, and the metric is counted in any case.
        let _ = self.0.describe(name.as_str(), unit, about);
    }
}

/// The facade allows duplicate labels and labels of any length; such a series is not counted.
fn named(key: &Key) -> Option<region::Key> {
    let labels = key.labels().map(|label| (label.key(), label.value()));
    region::Key::of_any(key.name(), labels).ok()
}

impl CounterFn for region::Counter {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    fn absolute(&self, value: u64) {
        self.raise_to(value);
    }
}

impl GaugeFn for region::Gauge {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        Self::set(self, value);
    }
}

impl HistogramFn for region::Histogram {
    fn record(&self, value: f64) {
        self.observe(value);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.observe_many(value, count as u64);
    }
}
