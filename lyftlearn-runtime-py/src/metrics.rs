//! Metrics, for `_metrics.py`, which has the Python part: names from keyword arguments, cached
//! handles, decorators.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use lyftlearn_runtime::Facts;
use lyftlearn_runtime::metrics::region::{self as rt, Aggregate, Key, Region, Value};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use crate::error::raise;

/// This process's region, found at the first use. A forked child goes on with its parent's.
fn region() -> Region {
    static REGION: OnceLock<Region> = OnceLock::new();
    *REGION.get_or_init(|| Region::of(&Facts::capture(Vec::new())))
}

fn key(name: &str, labels: &BTreeMap<String, String>) -> PyResult<Key> {
    let labels = labels.iter();
    let labels = labels.map(|(label, value)| (label.as_str(), value.as_str()));
    Key::new(name, labels).map_err(|error| raise(&error))
}

/// Something to put before a function, or a block to enter.
fn decorated<'py>(
    manager: &Bound<'py, PyAny>,
    function: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let helper = manager.py().import("lyftlearn_runtime._metrics")?;
    helper.getattr("_decorated")?.call1((manager, function))
}

/// A number that only grows: rows read, requests served.
///
/// All processes that count under the same name and labels count in the same place.
#[pyclass(frozen, module = "lyftlearn_runtime")]
pub(crate) struct Counter {
    name: String,
    counter: rt::Counter,
}

#[pymethods]
impl Counter {
    /// Adds 1, or another number that is not negative. No ending of the process loses it.
    ///
    /// Raises ValueError when the number is negative or not finite.
    #[pyo3(signature = (amount=1.0, /))]
    fn inc(&self, amount: f64) -> PyResult<()> {
        if self.counter.add_float(amount) {
            return Ok(());
        }
        Err(PyValueError::new_err(format!(
            "metric {:?}: a counter only grows, by finite numbers",
            self.name
        )))
    }

    /// Counts the exceptions that leave a block or a function, of these classes; without
    /// any, of Exception's. They go on as they came.
    #[pyo3(signature = (*exceptions))]
    fn count_exceptions(
        counter: &Bound<'_, Self>,
        exceptions: &Bound<'_, PyTuple>,
    ) -> PyResult<ExceptionCounter> {
        let py = counter.py();
        let exceptions = if exceptions.is_empty() {
            PyTuple::new(py, [py.get_type::<pyo3::exceptions::PyException>()])?
        } else {
            exceptions.clone()
        };
        for class in &exceptions {
            class.cast::<PyType>()?;
        }
        Ok(ExceptionCounter {
            counter: counter.get().counter,
            exceptions: exceptions.unbind(),
        })
    }

    fn __repr__(&self) -> String {
        format!("<Counter {}>", self.name)
    }
}

/// Counts exceptions: for a with statement, or before a function.
#[pyclass(frozen, module = "lyftlearn_runtime._native")]
pub(crate) struct ExceptionCounter {
    counter: rt::Counter,
    exceptions: Py<PyTuple>,
}

#[pymethods]
impl ExceptionCounter {
    fn __enter__(&self) {}

    fn __exit__(
        &self,
        kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if let Ok(kind) = kind.cast::<PyType>()
            && kind.is_subclass(self.exceptions.bind(kind.py()).as_any())?
        {
            self.counter.add(1);
        }
        Ok(())
    }

    fn __call__<'py>(
        manager: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        decorated(manager.as_any(), function)
    }
}

/// A number that goes up and down: a loss, requests in progress.
///
/// Every process has its own; which of them is shown is for `aggregate` to say.
#[pyclass(frozen, module = "lyftlearn_runtime")]
pub(crate) struct Gauge {
    name: String,
    gauge: rt::Gauge,
}

#[pymethods]
impl Gauge {
    /// Replaces this process's value.
    #[pyo3(signature = (value, /))]
    fn set(&self, value: f64) {
        self.gauge.set(value);
    }

    /// Adds 1, or another number, to this process's value.
    #[pyo3(signature = (amount=1.0, /))]
    fn inc(&self, amount: f64) {
        self.gauge.add(amount);
    }

    /// Takes 1, or another number, from this process's value.
    #[pyo3(signature = (amount=1.0, /))]
    fn dec(&self, amount: f64) {
        self.gauge.add(-amount);
    }

    /// Adds 1 for as long as a block or a function runs.
    fn track_inprogress(gauge: &Bound<'_, Self>) -> InProgress {
        InProgress(gauge.clone().unbind())
    }

    fn __repr__(&self) -> String {
        format!("<Gauge {}>", self.name)
    }
}

/// Counts calls in progress: as a with statement, or as a decorator.
#[pyclass(frozen, module = "lyftlearn_runtime._native")]
pub(crate) struct InProgress(Py<Gauge>);

#[pymethods]
impl InProgress {
    fn __enter__(&self) {
        self.0.get().gauge.add(1.0);
    }

    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.0.get().gauge.add(-1.0);
    }

    fn __call__<'py>(
        manager: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        decorated(manager.as_any(), function)
    }
}

/// How often which values came: seconds, bytes. Buckets need not be chosen: there are eight
/// for each power of two.
///
/// All processes that observe under the same name and labels do so in the same place.
#[pyclass(frozen, module = "lyftlearn_runtime")]
pub(crate) struct Histogram {
    name: String,
    histogram: rt::Histogram,
}

#[pymethods]
impl Histogram {
    /// Counts a value. One that is not finite is counted as refused, and changes nothing.
    #[pyo3(signature = (value, /))]
    fn observe(&self, value: f64) {
        self.histogram.observe(value);
    }

    /// Observes how many seconds a block or a function takes, also when an exception leaves
    /// it.
    fn time(&self) -> Timer {
        Timer {
            histogram: self.histogram,
            begun: Mutex::default(),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Histogram {}>", self.name)
    }
}

/// Observes seconds: for a with statement, or before a function. One that is kept may be
/// entered again, within itself and by several threads.
#[pyclass(frozen, module = "lyftlearn_runtime")]
pub(crate) struct Timer {
    histogram: rt::Histogram,
    /// Entered threads, and their times.
    begun: Mutex<Vec<(ThreadId, Instant)>>,
}

#[pymethods]
impl Timer {
    fn __enter__(&self) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push((std::thread::current().id(), Instant::now()));
    }

    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        let now = Instant::now();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let here = std::thread::current().id();
        if let Some(at) = begun.iter().rposition(|(thread, _)| *thread == here) {
            let (_, start) = begun.remove(at);
            self.histogram
                .observe(now.duration_since(start).as_secs_f64());
        }
    }

    /// Another one that observes the same series and has not been entered.
    fn _another(&self) -> Self {
        Self {
            histogram: self.histogram,
            begun: Mutex::default(),
        }
    }

    fn __call__<'py>(
        manager: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        decorated(manager.as_any(), function)
    }
}

/// What a histogram has counted.
#[pyclass(frozen, module = "lyftlearn_runtime")]
pub(crate) struct Buckets(rt::Buckets);

#[pymethods]
impl Buckets {
    /// How many values were observed.
    #[getter]
    fn count(&self) -> u64 {
        self.0.count
    }

    /// The sum of them all.
    #[getter]
    fn sum(&self) -> f64 {
        self.0.sum
    }

    /// How many were 0.
    #[getter]
    fn zero(&self) -> u64 {
        self.0.zero
    }

    /// How many were less than 0.
    #[getter]
    fn negative(&self) -> u64 {
        self.0.negative
    }

    /// Number of values greater than 2^(i/8) and not greater than 2^((i+1)/8), by i. Empty
    /// buckets are omitted.
    #[getter]
    fn positive(&self) -> BTreeMap<i32, u64> {
        self.0.positive.iter().copied().collect()
    }

    fn __repr__(&self) -> String {
        format!("Buckets(count={}, sum={})", self.0.count, self.0.sum)
    }
}

/// One series, as a snapshot has it.
#[pyclass(frozen, module = "lyftlearn_runtime")]
pub(crate) struct Series(rt::Series);

#[pymethods]
impl Series {
    /// The metric's name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is: "counter", "gauge" or "histogram".
    #[getter]
    fn kind(&self) -> &'static str {
        match self.0.value {
            Value::Counter(_) => "counter",
            Value::Gauge(_) => "gauge",
            Value::Histogram(_) => "histogram",
        }
    }

    /// Its labels.
    #[getter]
    fn labels(&self) -> BTreeMap<String, String> {
        self.0.labels.iter().cloned().collect()
    }

    /// The metric's unit; empty if it is not declared.
    #[getter]
    fn unit(&self) -> &str {
        self.0.unit.as_deref().unwrap_or_default()
    }

    /// The metric's description; empty if it is not declared.
    #[getter]
    fn help(&self) -> &str {
        self.0.help.as_deref().unwrap_or_default()
    }

    /// A counter's total, a gauge's value, or a histogram's buckets.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.0.value {
            Value::Counter(value) | Value::Gauge(value) => Ok(value.into_pyobject(py)?.into_any()),
            Value::Histogram(buckets) => Ok(Buckets(buckets.clone()).into_pyobject(py)?.into_any()),
        }
    }

    fn __repr__(series: &Bound<'_, Self>) -> PyResult<String> {
        let this = series.get();
        let (labels, value) = (series.getattr("labels")?, series.getattr("value")?);
        Ok(format!(
            "Series({:?}, {}, {})",
            this.name(),
            labels.repr()?,
            value.repr()?
        ))
    }
}

/// The counter of a name and labels.
///
/// Raises ValueError when they cannot be.
#[pyfunction]
pub(crate) fn metrics_counter(name: String, labels: BTreeMap<String, String>) -> PyResult<Counter> {
    let counter = region().counter(&key(&name, &labels)?);
    Ok(Counter { name, counter })
}

/// The gauge of a name and labels.
///
/// Raises ValueError when they cannot be.
#[pyfunction]
pub(crate) fn metrics_gauge(
    name: String,
    labels: BTreeMap<String, String>,
    aggregate: &str,
) -> PyResult<Gauge> {
    let aggregate = match aggregate {
        "last" => Aggregate::Last,
        "sum" => Aggregate::Sum,
        "max" => Aggregate::Max,
        "min" => Aggregate::Min,
        _ => {
            return Err(PyValueError::new_err(format!(
                "metric {name:?}: aggregate is one of \"last\", \"sum\", \"max\", \"min\""
            )));
        }
    };
    let gauge = region().gauge(key(&name, &labels)?, aggregate);
    Ok(Gauge { name, gauge })
}

/// The histogram of a name and labels.
///
/// Raises ValueError when they cannot be.
#[pyfunction]
pub(crate) fn metrics_histogram(
    name: String,
    labels: BTreeMap<String, String>,
) -> PyResult<Histogram> {
    let histogram = region().histogram(&key(&name, &labels)?);
    Ok(Histogram { name, histogram })
}

/// Nothing, when a metric may have these labels.
///
/// Raises ValueError when they cannot be.
#[pyfunction]
pub(crate) fn metrics_check(name: &str, labels: Vec<String>) -> PyResult<()> {
    let labels = labels.iter().map(|label| (label.as_str(), ""));
    Key::new(name, labels)
        .map(drop)
        .map_err(|error| raise(&error))
}

/// Says what a metric is about, and what it counts in.
///
/// Raises ValueError when that is too long.
#[pyfunction]
pub(crate) fn metrics_describe(name: &str, unit: &str, help: &str) -> PyResult<()> {
    region()
        .describe(name, unit, help)
        .map_err(|error| raise(&error))
}

/// Every series that there is, and how often there was no room for one.
#[pyfunction]
pub(crate) fn metrics_snapshot(py: Python<'_>) -> (Vec<Series>, u64) {
    // The interpreter's lock is held, so no fork happens in between.
    let region = region();
    let snapshot = py.detach(|| region.snapshot());
    (
        snapshot.series.into_iter().map(Series).collect(),
        snapshot.dropped_series,
    )
}

/// Why this process's metrics are not exported, and whether that deserves a warning; None if
/// they are.
#[pyfunction]
pub(crate) fn metrics_degraded() -> Option<(String, bool)> {
    let region = region();
    let degraded = region.degraded()?;
    Some((degraded.to_string(), degraded.is_surprising()))
}
