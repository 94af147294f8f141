//! `demo`: the story of this project's own example, trained, served and compared.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::check::print;
use lyftlearn_conformance::engine::{Engine, Outcome};
use lyftlearn_conformance::story::{self, Layer, Told};
use lyftlearn_conformance::trouble::{Result, Trouble};

/// Its options.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// In real containers or in namespaces; without it: in containers where an engine answers
    #[arg(long, value_enum)]
    layer: Option<Where>,
    /// The container engine
    #[arg(long, value_enum)]
    engine: Option<Which>,
    /// The whole story, for other programs
    #[arg(long)]
    json: bool,
}

/// A layer by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Where {
    Image,
    Process,
}

/// An engine by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    Podman,
    Docker,
}

/// Runs it.
pub(crate) fn run(wanted: &Demo) -> Result<ExitCode> {
    tell(wanted).map_err(Trouble::Cannot)?;
    Ok(ExitCode::SUCCESS)
}

fn layer(wanted: &Demo) -> Outcome<Layer> {
    let named = wanted.engine.map(|engine| match engine {
        Which::Podman => Engine::Podman,
        Which::Docker => Engine::Docker,
    });
    let engine = || named.or_else(Engine::found);
    match wanted.layer {
        Some(Where::Process) => Ok(Layer::Process),
        Some(Where::Image) => engine()
            .map(Layer::Image)
            .ok_or_else(|| "cannot reach a container engine".to_owned()),
        None => Ok(engine().map_or_else(
            || {
                say("cannot use a container engine here: the same programs run in namespaces");
                Layer::Process
            },
            Layer::Image,
        )),
    }
}

fn tell(wanted: &Demo) -> Outcome<()> {
    let layer = layer(wanted)?;
    let work =
        tempfile::tempdir().map_err(|err| format!("cannot make a temporary directory: {err}"))?;
    let start = Instant::now();
    let told = story::tell(layer, work.path(), &mut |step| {
        say(&format!("[{:5.1} s] {step}", start.elapsed().as_secs_f64()));
    })?;
    say(&format!("[{:5.1} s] done\n", start.elapsed().as_secs_f64()));
    let text = if wanted.json {
        serde_json::to_string(&told).map_err(|err| err.to_string())?
    } else {
        side_by_side(&told)
    };
    print(&text).map_err(|err| err.to_string())
}

/// What the program saw in each place, and what it answered.
fn side_by_side(told: &Told) -> String {
    const FIELDS: &[&str] = &[
        "/platform",
        "/flavor",
        "/role",
        "/job/name",
        "/job/id",
        "/paths/model",
        "/paths/output_data",
        "/paths/run",
        "/channels/train/path",
        "/hyperparameters/path",
        "/hyperparameters/count",
        "/topology/node_rank",
        "/topology/nodes",
        "/resources/cpus",
        "/resources/memory_bytes",
        "/lifecycle/grace_seconds",
        "/credentials/source",
    ];
    let mut rows: Vec<[String; 4]> = vec![[
        "the program's environment".to_owned(),
        told.scenes[0].title.to_owned(),
        told.scenes[1].title.to_owned(),
        told.scenes[2].title.to_owned(),
    ]];
    for field in FIELDS {
        let cell = |scene: &story::Scene| match scene.view.pointer(field) {
            None | Some(serde_json::Value::Null) => "-".to_owned(),
            Some(serde_json::Value::String(text)) => {
                text.rsplit(':').next().unwrap_or(text).to_owned()
            }
            Some(other) => other.to_string(),
        };
        let [a, b, c] = &told.scenes;
        rows.push([field[1..].replace('/', "."), cell(a), cell(b), cell(c)]);
    }
    let predictions = |scene: &story::Scene| {
        let digits = scene.predictions["predictions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        digits.iter().map(ToString::to_string).collect::<String>()
    };
    let [a, b, c] = &told.scenes;
    rows.push([
        "predictions".to_owned(),
        predictions(a),
        predictions(b),
        predictions(c),
    ]);
    rows.push([
        "exit code".to_owned(),
        a.exit_code.to_string(),
        b.exit_code.to_string(),
        c.exit_code.to_string(),
    ]);
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("{cell:width$}  "));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let rows = told.evaluation["sample"]["instances"]
        .as_array()
        .map_or(0, Vec::len);
    text.push_str(&format!(
        "\naccuracy {}; each server predicted {rows} rows: predictions and probabilities equal those of training\n",
        told.evaluation["accuracy"]
    ));
    text
}

fn say(text: &str) {
    // A closed stderr is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}
