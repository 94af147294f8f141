//! What a scraper understands, by its own words (RFC 9110, section 12.5).

use super::Format;

/// The format that `Accept` prefers; text where it says nothing that we speak. Never a
/// refusal: there are scrapers that ask for nothing they could read.
#[must_use]
pub fn negotiate(accept: &str) -> Format {
    let mut best = (0.0, Format::Text);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut quality = 1.0;
        let mut version = None;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        let format = match (kind.as_str(), version) {
            ("application/openmetrics-text", Some("1.0.0") | None) => Format::OpenMetrics,
            ("application/openmetrics-text", Some("0.0.1")) => Format::EarlyOpenMetrics,
            ("text/plain", Some("0.0.4") | None) | ("text/*" | "*/*", _) => Format::Text,
            _ => continue,
        };
        if quality > best.0 {
            best = (quality, format);
        }
    }
    best.1
}

/// Whether `Accept-Encoding` offers gzip.
#[must_use]
pub fn takes_gzip(encodings: &str) -> bool {
    let quality = |wanted: &str| {
        encodings.split(',').find_map(|coding| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let quality = parameters.trim().strip_prefix("q=");
            (name.trim().eq_ignore_ascii_case(wanted))
                .then(|| quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
        })
    };
    quality("gzip").or_else(|| quality("*")).unwrap_or(0.0) > 0.0
}

#[cfg(test)]
mod tests {
    use super::{Format, negotiate, takes_gzip};

    #[track_caller]
    fn check(accept: &str, expected: Format) {
        assert_eq!(negotiate(accept), expected, "{accept}");
    }

    #[test]
    fn the_scraper_decides() {
        // Prometheus 2.42, 2.42 with native histograms, and 3.
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        );
        check(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        );
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format::OpenMetrics,
        );
        check(
            "text/plain;q=0.9, application/openmetrics-text; version=1.0.0; q=0.5",
            Format::Text,
        );
        check(
            "application/openmetrics-text; version=0.0.1",
            Format::EarlyOpenMetrics,
        );
        check(
            "application/openmetrics-text;version=1.0.0;q=0",
            Format::Text,
        );
        for accept in ["", "*/*", "application/json", "nonsense;q=x", ";;,,"] {
            check(accept, Format::Text);
        }
    }

    #[test]
    fn gzip_is_used_if_the_client_accepts_it() {
        for (encodings, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(encodings), expected, "{encodings}");
        }
    }
}
