//! `lyftlearn-conformance`: tells the story of one image on this machine.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use lyftlearn_conformance::engine::{Engine, Outcome};
use lyftlearn_conformance::story::{self, Layer, Told};

const HELP: &str = "\
Tells the story of one image: trained, served, compared.

usage:
  lyftlearn-conformance demo [--layer image|process] [--engine podman|docker] [--json]
      Trains the example as SageMaker does, serves the model as Kubernetes and as
      SageMaker do, compares what the program saw and what it predicted. Without
      --layer: in real containers where an engine answers, else in namespaces.
      With --json the whole story, for other programs.
";

fn main() -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            say(&format!("lyftlearn-conformance: {reason}"));
            ExitCode::FAILURE
        }
    }
}

/// What was asked for.
#[derive(Default)]
struct Wanted {
    demo: bool,
    help: bool,
    json: bool,
    layer: Option<String>,
    engine: Option<Engine>,
}

fn wanted() -> Outcome<Wanted> {
    let mut words = lexopt::Parser::from_env();
    let mut wanted = Wanted::default();
    while let Some(word) = words.next().map_err(|err| err.to_string())? {
        match word {
            lexopt::Arg::Value(word) if word == "demo" => wanted.demo = true,
            lexopt::Arg::Long("json") => wanted.json = true,
            lexopt::Arg::Long("layer") => wanted.layer = Some(value(&mut words)?),
            lexopt::Arg::Long("engine") => {
                wanted.engine = match value(&mut words)?.as_str() {
                    "podman" => Some(Engine::Podman),
                    "docker" => Some(Engine::Docker),
                    _ => return Err("cannot use --engine: expected podman or docker".to_owned()),
                }
            }
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => wanted.help = true,
            _ => return Err("cannot tell what to do; --help shows all".to_owned()),
        }
    }
    Ok(wanted)
}

fn value(words: &mut lexopt::Parser) -> Outcome<String> {
    let value = words.value().map_err(|err| err.to_string())?;
    Ok(value.to_string_lossy().into_owned())
}

fn layer(wanted: &Wanted) -> Outcome<Layer> {
    let engine = || wanted.engine.or_else(Engine::found);
    match wanted.layer.as_deref() {
        Some("process") => Ok(Layer::Process),
        Some("image") => engine()
            .map(Layer::Image)
            .ok_or_else(|| "no container engine answers here".to_owned()),
        Some(_) => Err("cannot use --layer: expected image or process".to_owned()),
        None => Ok(engine().map_or_else(
            || {
                say("no container engine can run here: the same programs run in namespaces");
                Layer::Process
            },
            Layer::Image,
        )),
    }
}

fn command() -> Outcome<()> {
    let wanted = wanted()?;
    if wanted.help {
        return print(HELP);
    }
    if !wanted.demo {
        return Err("cannot tell what to do; --help shows all".to_owned());
    }
    let layer = layer(&wanted)?;
    let work = tempfile::tempdir().map_err(|err| format!("no temporary directory: {err}"))?;
    let start = Instant::now();
    let told = story::tell(layer, work.path(), &mut |step| {
        say(&format!("[{:5.1} s] {step}", start.elapsed().as_secs_f64()));
    })?;
    say(&format!("[{:5.1} s] done\n", start.elapsed().as_secs_f64()));
    if wanted.json {
        print(&serde_json::to_string(&told).map_err(|err| err.to_string())?)
    } else {
        print(&side_by_side(&told))
    }
}

fn print(text: &str) -> Outcome<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|err| err.to_string())
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
        "what the program saw".to_owned(),
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
        "\naccuracy {}; {rows} rows asked of each server: predictions and probabilities equal those of training\n",
        told.evaluation["accuracy"]
    ));
    text
}

fn say(text: &str) {
    // Nobody to tell is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}
