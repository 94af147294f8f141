//! The figures of a start and of lazy loading, and what each may be: by default, and by `[budget]`.

/// One figure.
#[derive(Debug)]
pub struct Budget {
    /// The check's id.
    pub id: &'static str,
    /// Its key in `[budget]`.
    pub key: &'static str,
    /// The limit of a figure; `None` if it is measured without a limit.
    pub default: Option<f64>,
    /// What it is counted in.
    pub unit: &'static str,
}

/// All of them, in the order of the reports.
pub const BUDGETS: &[Budget] = &[
    Budget {
        id: "budget.runtime.ms",
        key: "runtime_ms",
        default: Some(10.0),
        unit: "ms",
    },
    Budget {
        id: "budget.runtime.files",
        key: "runtime_files",
        default: Some(25.0),
        unit: "files",
    },
    Budget {
        id: "budget.ready.seconds",
        key: "ready_seconds",
        default: None,
        unit: "s",
    },
    Budget {
        id: "lazy.files",
        key: "lazy_files",
        default: None,
        unit: "files",
    },
    Budget {
        id: "lazy.bytes",
        key: "lazy_bytes_percent",
        default: Some(25.0),
        unit: "%",
    },
    Budget {
        id: "lazy.spans",
        key: "lazy_spans_percent",
        default: Some(60.0),
        unit: "%",
    },
    Budget {
        id: "lazy.small-layers",
        key: "lazy_small_layers_mib",
        default: Some(64.0),
        unit: "MiB",
    },
    Budget {
        id: "lazy.compression",
        key: "lazy_compression_layers",
        default: Some(0.0),
        unit: "layers",
    },
    Budget {
        id: "layers.order",
        key: "layers_order_mib",
        default: Some(32.0),
        unit: "MiB",
    },
    Budget {
        id: "layers.waste",
        key: "layers_waste_percent",
        default: Some(5.0),
        unit: "%",
    },
    Budget {
        id: "layers.caches",
        key: "layers_caches_mib",
        default: Some(16.0),
        unit: "MiB",
    },
];
