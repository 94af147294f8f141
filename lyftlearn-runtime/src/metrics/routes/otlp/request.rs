//! Requests of OpenTelemetry's protocol: totals since a beginning, as the region holds them.
//! Its histograms are the protocol's exponential ones as they are.

use std::collections::HashSet;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as Range;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::metrics::region::{Buckets, Kind, Series, Snapshot, Value};

/// Eight buckets for each power of two.
const SCALE: i32 = 3;
/// A request is sent once it has so much: collectors take four megabytes and more.
const REQUEST_BYTES: usize = 1 << 20;

/// What all points of a snapshot have in common.
pub(super) struct Common<'a> {
    pub(super) resource: &'a [(String, String)],
    pub(super) labels: &'a [(String, String)],
    /// Since when a series is added up.
    pub(super) begun: &'a dyn Fn(&Series) -> Duration,
    pub(super) now: Duration,
}

/// A request, and how many points it has.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) points: u64,
}

/// A snapshot in requests, each made when its turn comes.
pub(super) struct Requests<'a> {
    rest: &'a [Series],
    common: Common<'a>,
    /// Names that counters and gauges have.
    counters: HashSet<&'a str>,
    gauges: HashSet<&'a str>,
}

impl<'a> Requests<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, common: Common<'a>) -> Self {
        let names = |kind: Kind| {
            let series = snapshot.series.iter();
            series
                .filter(|series| series.value.kind() == kind)
                .map(|series| series.name.as_str())
                .collect()
        };
        Self {
            rest: &snapshot.series,
            counters: names(Kind::Counter),
            gauges: names(Kind::Gauge),
            common,
        }
    }

    /// A name is of one kind: another's says which it is.
    fn name(&self, series: &Series) -> String {
        let name = series.name.as_str();
        match series.value.kind() {
            Kind::Gauge if self.counters.contains(name) => format!("{name}_gauge"),
            Kind::Histogram if self.counters.contains(name) || self.gauges.contains(name) => {
                format!("{name}_histogram")
            }
            _ => name.to_owned(),
        }
    }

    fn attributes(&self, series: &Series) -> Vec<KeyValue> {
        let given = |name: &str| series.labels.iter().any(|(known, _)| known == name);
        let common = self.common.labels.iter();
        let labels = series.labels.iter();
        let all = labels.chain(common.filter(|(name, _)| !given(name)));
        attributes(all.filter(|(name, _)| !name.is_empty()))
    }

    /// A clock that was set back does not put the end before the beginning.
    fn times(&self, series: &Series) -> (u64, u64) {
        let begun = (self.common.begun)(series);
        (nanoseconds(begun), nanoseconds(self.common.now.max(begun)))
    }

    fn number(&self, series: &Series, value: f64) -> NumberDataPoint {
        let (begun, now) = self.times(series);
        NumberDataPoint {
            attributes: self.attributes(series),
            start_time_unix_nano: begun,
            time_unix_nano: now,
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        }
    }

    fn observed(&self, series: &Series, buckets: &Buckets) -> ExponentialHistogramDataPoint {
        let (begun, now) = self.times(series);
        ExponentialHistogramDataPoint {
            attributes: self.attributes(series),
            start_time_unix_nano: begun,
            time_unix_nano: now,
            count: buckets.count,
            // Negative values would make the sum fall, so it is omitted (the protocol's own rule).
            sum: (buckets.negative == 0).then_some(buckets.sum),
            scale: SCALE,
            // There is no telling which buckets those below it had.
            zero_count: buckets.zero.saturating_add(buckets.negative),
            positive: Some(range(&buckets.positive)),
            ..ExponentialHistogramDataPoint::default()
        }
    }

    fn empty(&self, series: &Series) -> Metric {
        let cumulative = AggregationTemporality::Cumulative.into();
        Metric {
            name: self.name(series),
            description: series.help.clone().unwrap_or_default(),
            unit: unit(series),
            data: Some(match series.value.kind() {
                Kind::Counter => metric::Data::Sum(Sum {
                    aggregation_temporality: cumulative,
                    is_monotonic: true,
                    ..Sum::default()
                }),
                Kind::Gauge => metric::Data::Gauge(Gauge::default()),
                Kind::Histogram => metric::Data::ExponentialHistogram(ExponentialHistogram {
                    aggregation_temporality: cumulative,
                    ..ExponentialHistogram::default()
                }),
            }),
            ..Metric::default()
        }
    }

    /// Adds a series to the metric that is its; how many bytes that took, nearly.
    fn add(&self, metric: &mut Metric, series: &Series) -> usize {
        match (&mut metric.data, &series.value) {
            (Some(metric::Data::Sum(sum)), Value::Counter(value)) => {
                sum.data_points.push(self.number(series, *value));
                sum.data_points.last().map_or(0, Message::encoded_len)
            }
            (Some(metric::Data::Gauge(gauge)), Value::Gauge(value)) => {
                let mut point = self.number(series, *value);
                // A gauge has no beginning.
                point.start_time_unix_nano = 0;
                gauge.data_points.push(point);
                gauge.data_points.last().map_or(0, Message::encoded_len)
            }
            (Some(metric::Data::ExponentialHistogram(all)), Value::Histogram(buckets)) => {
                all.data_points.push(self.observed(series, buckets));
                all.data_points.last().map_or(0, Message::encoded_len)
            }
            _ => 0,
        }
    }
}

/// Whether the series is exported: a negative total is not.
pub(super) fn is_shown(series: &Series) -> bool {
    match &series.value {
        Value::Counter(total) => *total >= 0.0,
        Value::Gauge(_) | Value::Histogram(_) => true,
    }
}

impl Iterator for Requests<'_> {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let mut metrics: Vec<Metric> = Vec::new();
        let mut before: Option<&Series> = None;
        let (mut bytes, mut points) = (0, 0);
        while bytes < REQUEST_BYTES {
            let Some((series, rest)) = self.rest.split_first() else {
                break;
            };
            self.rest = rest;
            if !is_shown(series) {
                continue;
            }
            let same = |before: &Series| {
                before.name == series.name && before.value.kind() == series.value.kind()
            };
            if !before.is_some_and(same) {
                let metric = self.empty(series);
                bytes += metric.encoded_len();
                metrics.push(metric);
            }
            before = Some(series);
            if let Some(metric) = metrics.last_mut() {
                bytes += self.add(metric, series);
                points += 1;
            }
        }
        (points > 0).then(|| Request {
            bytes: self.whole(metrics).encode_to_vec(),
            points,
        })
    }
}

impl Requests<'_> {
    fn whole(&self, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource {
                    attributes: attributes(self.common.resource.iter()),
                    ..Resource::default()
                }),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope),
                    metrics,
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        }
    }
}

fn attributes<'a>(all: impl Iterator<Item = &'a (String, String)>) -> Vec<KeyValue> {
    all.map(|(name, value)| KeyValue {
        key: name.clone(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.clone())),
        }),
        ..KeyValue::default()
    })
    .collect()
}

/// From the lowest bucket that has anything to the greatest.
fn range(positive: &[(i32, u64)]) -> Range {
    let (Some((first, _)), Some((last, _))) = (positive.first(), positive.last()) else {
        return Range::default();
    };
    let mut counts = positive.iter().peekable();
    Range {
        offset: *first,
        bucket_counts: (*first..=*last)
            .map(|index| {
                let here = counts.next_if(|(bucket, _)| *bucket == index);
                here.map_or(0, |(_, count)| *count)
            })
            .collect(),
    }
}

/// As OpenTelemetry writes units (UCUM).
fn unit(series: &Series) -> String {
    match series.unit.as_deref() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        Some(other) => other,
        None => "",
    }
    .to_owned()
}

/// Until 2554.
fn nanoseconds(since_1970: Duration) -> u64 {
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}
