//! Settings as people get them wrong.

mod doors;
mod register;

use expect_test::expect;

use super::{File, read};
use crate::error::the_same;
use crate::metrics::clients::Mode;
use crate::workload::Role;

fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        bytes: text.into(),
    }
}

#[track_caller]
fn report(files: &[File], variables: &[(&str, &str)]) -> String {
    read(
        files,
        variables.iter().map(|(name, value)| (*name, Some(*value))),
        &[],
    )
    .unwrap_err()
    .report()
}

#[test]
fn every_mistake_shows_at_once_and_no_value_does() {
    let files = [file(
        "/etc/lyftlearn/runtime.toml",
        "log = \"canary\"\n[commands]\ntrian = [\"x\"]\nserve = \"canary\"\n",
    )];
    let variables = [
        ("LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS", "canary"),
        ("LYFTLEARN_RUNTIME_PLATFORM", "canary"),
        ("LYFTLEARN_RUNTIME_CONFIG_DIR", "canary/relative"),
        (
            "LYFTLEARN_RUNTIME_LIVE_DIRS",
            r#"["/etc", "canary/relative"]"#,
        ),
        ("LYFTLEARN_RUNTIME_METRICS_REGION_BYTES", "4MiB"),
        ("LYFTLEARN_RUNTIME_XYZZY", "canary"),
    ];
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          commands.trian in /etc/lyftlearn/runtime.toml: not a setting; did you mean commands.train?
          $LYFTLEARN_RUNTIME_XYZZY: not a setting
          $LYFTLEARN_RUNTIME_PLATFORM: expected sagemaker, kubernetes or local
          log in /etc/lyftlearn/runtime.toml: expected info or off
          $LYFTLEARN_RUNTIME_CONFIG_DIR: expected an absolute path without control characters, or blanks at its ends
          commands.serve in /etc/lyftlearn/runtime.toml: expected a list of strings, such as ["python3", "train.py"]
          $LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS: expected a whole number of seconds
          $LYFTLEARN_RUNTIME_LIVE_DIRS: expected a list of absolute paths, such as ["/etc/lyftlearn/live"]
          $LYFTLEARN_RUNTIME_METRICS_REGION_BYTES: expected 0, or a number of bytes from 65536 to 1073741824
    "#]].assert_eq(&report(&files, &variables));
}

/// The key of a Secret or a ConfigMap that was made from a file ends with a line end.
#[test]
fn a_line_end_is_no_part_of_a_variable_and_no_name_has_blanks_at_its_ends() {
    let set = |name: &str, value: &str| {
        let variables = [(name, Some(value))];
        read(&[], variables.into_iter(), &[])
    };
    let model = |value| set("LYFTLEARN_RUNTIME_PATHS_MODEL", value);
    for ends in ["/opt/model\n", "/opt/model\r\n"] {
        assert_eq!(model(ends).unwrap().model_dir.unwrap(), "/opt/model");
    }
    assert_eq!(model("\n").unwrap().model_dir, None);
    let user = set("LYFTLEARN_RUNTIME_USER", "1000:100\n").unwrap().user;
    assert_eq!(user.unwrap(), "1000:100");
    assert!(set("LYFTLEARN_RUNTIME_LOG", "off\n").is_ok());
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          $LYFTLEARN_RUNTIME_JOB_NAME: expected a text without control characters, or blanks at its ends
          $LYFTLEARN_RUNTIME_PATHS_MODEL: expected an absolute path without control characters, or blanks at its ends
          $LYFTLEARN_RUNTIME_LIVE_DIRS: expected a list of absolute paths, such as ["/etc/lyftlearn/live"]
    "#]]
    .assert_eq(&report(
        &[],
        &[
            ("LYFTLEARN_RUNTIME_PATHS_MODEL", "/opt/ml/model "),
            ("LYFTLEARN_RUNTIME_JOB_NAME", "a\nb"),
            ("LYFTLEARN_RUNTIME_LIVE_DIRS", r#"["/etc/live\n"]"#),
        ],
    ));
}

#[test]
fn a_place_that_metrics_are_sent_to_is_no_other_kind_of_place() {
    let gateway = |host: &str| report(&[], &[("LYFTLEARN_RUNTIME_METRICS_GATEWAY_HOST", host)]);
    let hosts = ["statsd.example:8125", "http://statsd", "a b"];
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          $LYFTLEARN_RUNTIME_METRICS_GATEWAY_HOST: expected a host name or an IP address, without a port
    "#]]
    .assert_eq(&the_same(hosts.map(gateway)));
    // OpenTelemetry's variable for metrics alone has the whole URL.
    let whole = "http://127.0.0.1:4318/v1/metrics";
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          $LYFTLEARN_RUNTIME_METRICS_OTLP_ENDPOINT: expected a URL without a name or password, and without /v1/metrics at its end, such as http://collector:4318
    "#]]
    .assert_eq(&report(
        &[],
        &[("LYFTLEARN_RUNTIME_METRICS_OTLP_ENDPOINT", whole)],
    ));
}

#[test]
fn a_file_that_is_not_toml_is_named_with_line_and_column() {
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          /etc/lyftlearn/runtime.toml: malformed TOML at line 2, column 8: string values must be quoted
    "#]]
    .assert_eq(&report(
        &[file(
            "/etc/lyftlearn/runtime.toml",
            "log = \"off\"\nrole = canary\n",
        )],
        &[],
    ));
}

#[test]
fn a_higher_layer_wins_and_is_named_as_the_source() {
    let files = [
        file(
            "/etc/lyftlearn/runtime.toml",
            "role = \"job\"\n[lifecycle]\ngrace_seconds = 10\n",
        ),
        file(
            "/etc/lyftlearn/config/runtime.toml",
            "[lifecycle]\ngrace_seconds = 20\n",
        ),
    ];
    let settings = read(
        &files,
        [("LYFTLEARN_RUNTIME_ROLE", Some("serving"))].into_iter(),
        &[],
    )
    .unwrap();
    assert_eq!(settings.grace_seconds, Some(20));
    assert_eq!(settings.role, Some(Role::Serving));
    assert_eq!(
        settings
            .sources
            .get("lifecycle.grace_seconds")
            .map(String::as_str),
        Some("lifecycle.grace_seconds in /etc/lyftlearn/config/runtime.toml")
    );
    assert_eq!(
        settings.sources.get("role").map(String::as_str),
        Some("$LYFTLEARN_RUNTIME_ROLE")
    );
}

#[test]
fn a_command_is_a_list_or_a_table_with_the_list_in_it() {
    let tables = "[commands.train]\ncommand = [\"a\"]\nhyperparameters_as_args = true\n\
                  [commands.serve]\ncommand = [\"b\"]\n";
    let lists = "[commands]\ntrain = [\"a\"]\nserve = [\"b\"]\nhyperparameters_as_args = true\n";
    let commands = |text| {
        let files = [file("/etc/lyftlearn/runtime.toml", text)];
        read(&files, [].into_iter(), &[]).unwrap().commands
    };
    assert_eq!(commands(tables), commands(lists));
    assert!(commands(tables).hyperparameters_as_args);
    // A layer above may say it the other way.
    let files = [file("/etc/lyftlearn/runtime.toml", tables)];
    let variables = [
        ("LYFTLEARN_RUNTIME_COMMANDS_TRAIN", Some("[\"c\"]")),
        (
            "LYFTLEARN_RUNTIME_COMMANDS_HYPERPARAMETERS_AS_ARGS",
            Some("false"),
        ),
    ];
    let settings = read(&files, variables.into_iter(), &[]).unwrap();
    assert_eq!(settings.commands.train, Some(vec!["c".to_owned()]));
    assert!(!settings.commands.hyperparameters_as_args);
}

#[test]
fn mistakes_in_a_commands_table_are_named_as_they_are_written() {
    let text = "[commands.train]\ncommand = \"canary\"\nhyperparameters_as_args = \"canary\"\n\
                [commands.serve]\nhyperparameters_as_args = true\n[toolkit]\nvariables = false\n";
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          commands.serve.hyperparameters_as_args in /etc/lyftlearn/runtime.toml: not a setting; did you mean commands.hyperparameters_as_args?
          commands.train.command in /etc/lyftlearn/runtime.toml: expected a list of strings, such as ["python3", "train.py"]
          commands.train.hyperparameters_as_args in /etc/lyftlearn/runtime.toml: expected true or false
          toolkit.variables in /etc/lyftlearn/runtime.toml: expected on or off
    "#]].assert_eq(&report(&[file("/etc/lyftlearn/runtime.toml", text)], &[]));
}

#[cfg(feature = "cli")]
#[test]
fn a_switched_off_start_finds_a_command_in_either_form() {
    for text in [
        "[commands]\ntrain = [\"a\"]\n",
        "[commands.train]\ncommand = [\"a\"]\nhyperparameters_as_args = true\n",
    ] {
        let commands = super::commands_of(&file("/etc/lyftlearn/runtime.toml", text));
        assert_eq!(commands.train, Some(vec!["a".to_owned()]));
        assert!(!commands.hyperparameters_as_args);
    }
}

#[test]
fn a_text_of_digits_stays_a_text() {
    let settings = read(
        &[],
        [("LYFTLEARN_RUNTIME_JOB_NAME", Some("0123"))].into_iter(),
        &[],
    )
    .unwrap();
    assert_eq!(settings.job_name.as_deref(), Some("0123"));
}

#[test]
fn variables_that_kubernetes_made_for_a_service_are_not_settings() {
    let made = [
        ("LYFTLEARN_RUNTIME_PORT", "tcp://10.0.0.1:80"),
        ("LYFTLEARN_RUNTIME_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("LYFTLEARN_RUNTIME_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("LYFTLEARN_RUNTIME_PORT_80_TCP_PORT", "80"),
        ("LYFTLEARN_RUNTIME_PORT_80_TCP_PROTO", "tcp"),
        ("LYFTLEARN_RUNTIME_SERVICE_HOST", "10.0.0.1"),
        ("LYFTLEARN_RUNTIME_SERVICE_PORT", "80"),
        ("LYFTLEARN_RUNTIME_SERVICE_PORT_HTTP", "80"),
        ("LYFTLEARN_RUNTIME_ROLE_PORT", "udp://10.0.0.1:80"),
        ("LYFTLEARN_RUNTIME_ROLE_PORT_80_UDP", "udp://10.0.0.1:80"),
        (
            "LYFTLEARN_RUNTIME_METRICS_GATEWAY_PORT",
            "tcp://10.0.0.1:80",
        ),
        ("LYFTLEARN_RUNTIME_ROLE_SERVICE_HOST", "10.0.0.1"),
    ];
    let settings = read(
        &[],
        made.map(|(name, value)| (name, Some(value))).into_iter(),
        &[],
    )
    .unwrap();
    assert_eq!(settings.role, None);
    assert_eq!(settings.service_links, made.map(|(name, _)| name));
}

#[test]
fn a_value_that_looks_like_a_services_is_a_settings_all_the_same() {
    let variables = [
        ("LYFTLEARN_RUNTIME_METRICS_EMF_TO", "tcp://127.0.0.1:25888"),
        ("LYFTLEARN_RUNTIME_JOB_NAME", "udp://job"),
        ("LYFTLEARN_RUNTIME_METRICS_GATEWAY_PORT", "8125"),
    ];
    let variables = variables.map(|(name, value)| (name, Some(value)));
    let settings = read(&[], variables.into_iter(), &[]).unwrap();
    assert!(settings.metrics.emf.to.is_some() && settings.job_name.is_some());
    assert_eq!(settings.metrics.statsd.port, Some(8125));
    assert_eq!(settings.service_links, Vec::<String>::new());
    // It names no Service, so it is a mistake.
    let shown = report(&[], &[("LYFTLEARN_RUNTIME_ROLE", "tcp://10.0.0.1:80")]);
    assert!(
        shown.contains("$LYFTLEARN_RUNTIME_ROLE: expected training"),
        "{shown}"
    );
}

#[test]
fn a_blank_variable_sets_nothing() {
    let settings = read(&[], [("LYFTLEARN_RUNTIME_ROLE", Some(""))].into_iter(), &[]).unwrap();
    assert_eq!(settings.role, None);
}

#[test]
fn the_switch_knows_two_words() {
    assert!(super::switched_off(Some("off")).unwrap());
    assert!(!super::switched_off(Some("on")).unwrap());
    assert!(!super::switched_off(None).unwrap());
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          $LYFTLEARN_RUNTIME: expected on or off
    "#]]
    .assert_eq(&super::switched_off(Some("canary")).unwrap_err().report());
}

#[test]
fn a_settings_file_cannot_set_its_own_path() {
    let path = "/etc/lyftlearn/config/runtime.toml";
    let settings = read(&[file(path, "platform = \"local\"\n")], [].into_iter(), &[]).unwrap();
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          platform in /etc/lyftlearn/config/runtime.toml: cannot be set here: it decides where that file lies; set its variable or the image's runtime.toml instead
    "#]].assert_eq(&settings.refuse(&["platform"], path).unwrap_err().report());
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let files = [File {
        path: "/etc/lyftlearn/runtime.toml".to_owned(),
        bytes: b"log = \"\xff\"".to_vec(),
    }];
    let shown = read(
        &files,
        [("LYFTLEARN_RUNTIME_ROLE", None), ("OTHER", None)].into_iter(),
        &[],
    )
    .unwrap_err();
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          /etc/lyftlearn/runtime.toml: malformed TOML at line 1, column 8: it is not UTF-8
          $LYFTLEARN_RUNTIME_ROLE: expected UTF-8
    "#]]
    .assert_eq(&shown.report());
}

#[test]
fn statsd_settings_report_the_expected_value() {
    let files = [file(
        "/etc/lyftlearn/runtime.toml",
        "[metrics]\nintercept = \"canary\"\n[metrics.statsd]\nmode = \"canary\"\nlisten = \"8125\"\n\
         bytes = 1\ndialects = [\"canary\"]\nsigns = \"canary\"\n\
         microseconds = \"canary\"\ncumulative = \"canary\"\n",
    )];
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          metrics.statsd.mode in /etc/lyftlearn/runtime.toml: expected auto, on or off
          metrics.statsd.listen in /etc/lyftlearn/runtime.toml: expected an address and a port, such as 127.0.0.1:8125
          metrics.statsd.bytes in /etc/lyftlearn/runtime.toml: expected a number of bytes from 65536 to 1073741824
          metrics.statsd.dialects in /etc/lyftlearn/runtime.toml: expected a list of lyft, librato, signalfx, influxdb and graphite
          metrics.statsd.signs in /etc/lyftlearn/runtime.toml: expected auto, delta or value
          metrics.statsd.microseconds in /etc/lyftlearn/runtime.toml: expected a list of beginnings of names, such as ["app."]
          metrics.statsd.cumulative in /etc/lyftlearn/runtime.toml: expected a list of beginnings of names, such as ["app."]
          metrics.intercept in /etc/lyftlearn/runtime.toml: expected true, false or "all"
    "#]].assert_eq(&report(&files, &[]));
}

#[test]
fn interception_is_a_truth_or_all_in_a_file_and_in_a_variable() {
    use crate::metrics::clients::Intercept::{All, Nobody, Statsd};

    let intercepted = |files: &[File], variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| (*name, Some(*value)));
        read(files, variables, &[]).unwrap().statsd
    };
    assert_eq!(intercepted(&[], &[]).intercept, Statsd);
    for (word, expected) in [("true", Statsd), ("false", Nobody), ("\"all\"", All)] {
        let files = [file(
            "/runtime.toml",
            &format!("metrics.intercept = {word}"),
        )];
        assert_eq!(intercepted(&files, &[]).intercept, expected, "{word}");
        let variable = (
            "LYFTLEARN_RUNTIME_METRICS_INTERCEPT",
            word.trim_matches('"'),
        );
        assert_eq!(intercepted(&[], &[variable]).intercept, expected, "{word}");
    }
    let files = [file("/runtime.toml", "metrics.statsd = \"on\"")];
    assert_eq!(intercepted(&files, &[]).mode, Mode::On);
}

#[test]
fn where_metrics_go_is_checked() {
    let variables = [
        ("LYFTLEARN_RUNTIME_METRICS_LISTEN", "canary"),
        ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["canary"]"#),
        ("LYFTLEARN_RUNTIME_METRICS_LABELS", r#"["canary"]"#),
        ("LYFTLEARN_RUNTIME_METRICS_GATEWAY_PORT", "0"),
        ("LYFTLEARN_RUNTIME_METRICS_GATEWAY_PROTOCOL", "canary"),
        ("LYFTLEARN_RUNTIME_METRICS_GATEWAY_SECONDS", "0"),
    ];
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          $LYFTLEARN_RUNTIME_METRICS_LISTEN: expected off, or an address and a port, such as 0.0.0.0:9102
          $LYFTLEARN_RUNTIME_METRICS_ROUTES: expected a list of prometheus, statsd, sagemaker, emf and otlp, such as ["prometheus"]
          $LYFTLEARN_RUNTIME_METRICS_LABELS: expected a list of job, role, platform, rank and image
          $LYFTLEARN_RUNTIME_METRICS_GATEWAY_PORT: expected a port, 1 to 65535
          $LYFTLEARN_RUNTIME_METRICS_GATEWAY_PROTOCOL: expected udp or tcp
          $LYFTLEARN_RUNTIME_METRICS_GATEWAY_SECONDS: expected 1 to 3600 seconds
    "#]].assert_eq(&report(&[], &variables));
}

#[test]
fn a_collector_is_a_url_and_no_place_for_secrets() {
    let odd = [
        "canary",
        "grpc://canary",
        "http://",
        "http:///canary",
        "http://user:canary@collector",
        "http://collector?key=canary",
        "http://collector/ canary",
    ];
    let reports = odd.map(|odd| {
        let variables = [
            ("LYFTLEARN_RUNTIME_METRICS_OTLP_ENDPOINT", odd),
            (
                "LYFTLEARN_RUNTIME_METRICS_OTLP_HEADERS_VARIABLE",
                "api-key=canary",
            ),
            ("LYFTLEARN_RUNTIME_METRICS_OTLP_SECONDS", "0"),
        ];
        report(&[], &variables)
    });
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          $LYFTLEARN_RUNTIME_METRICS_OTLP_ENDPOINT: expected a URL without a name or password, and without /v1/metrics at its end, such as http://collector:4318
          $LYFTLEARN_RUNTIME_METRICS_OTLP_HEADERS_VARIABLE: expected the name of a variable
          $LYFTLEARN_RUNTIME_METRICS_OTLP_SECONDS: expected 1 to 3600 seconds
    "#]].assert_eq(&the_same(reports));
}

#[test]
fn what_cloudwatch_does_not_take_is_refused() {
    let long = "x".repeat(256);
    let variables = [
        ("LYFTLEARN_RUNTIME_METRICS_EMF_TO", "http://canary"),
        ("LYFTLEARN_RUNTIME_METRICS_EMF_NAMESPACE", long.as_str()),
        ("LYFTLEARN_RUNTIME_METRICS_EMF_DIMENSIONS", r#"["a b"]"#),
    ];
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          $LYFTLEARN_RUNTIME_METRICS_EMF_TO: expected stdout, tcp://host:port or udp://host:port
          $LYFTLEARN_RUNTIME_METRICS_EMF_NAMESPACE: expected 1 to 255 of letters, digits and . - _ / # :
          $LYFTLEARN_RUNTIME_METRICS_EMF_DIMENSIONS: expected a list of at most 30 labels, each 1 to 250 characters of ASCII
    "#]].assert_eq(&report(&[], &variables));
}

proptest::proptest! {
    /// The parser's sentence is shown; whatever it says, it quotes nothing of the file.
    #[test]
    fn a_report_on_broken_toml_quotes_nothing(at in 0..60_usize, noise in "[\\[\\]{}=\"',.#\n a-z0-9-]{0,6}") {
        let canary = "canary7391";
        let mut text = "log = \"off\"\n[commands]\ntrain = [\"a\", \"b\"]\nserve = 'c'\n".to_owned();
        let at = at.min(text.len());
        text.insert_str(at, &format!("{noise}{canary}{noise}"));
        if let Err(error) = read(&[file("/etc/lyftlearn/runtime.toml", &text)], std::iter::empty(), &[]) {
            // A key is named, and only a key may hold it then.
            let report = error.report();
            let toml = report.lines().filter(|line| line.contains("not TOML"));
            for line in toml {
                proptest::prop_assert!(!line.contains(canary), "{}", line);
            }
        }
    }
}

#[test]
fn mistakes_without_end_are_counted_and_the_first_are_named() {
    let text: String = (0..20_000).map(|n| format!("k{n} = 1\n")).collect();
    let shown = report(&[file("/etc/lyftlearn/runtime.toml", &text)], &[]);
    assert_eq!(shown.lines().count(), 22);
    let last = shown.lines().last().unwrap();
    expect!["  and 19980 more"].assert_eq(last);
}

#[test]
fn secrets_without_end_are_refused() {
    let table = |count: usize| -> String {
        let secret = |n| format!("[secrets.s{n}]\nfrom = \"env:A\"\n");
        (0..count).map(secret).collect()
    };
    let path = "/etc/lyftlearn/runtime.toml";
    assert!(read(&[file(path, &table(1_000))], std::iter::empty(), &[]).is_ok());
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          secrets: expected at most 1000 secrets; a bundle has many keys in one
    "#]]
    .assert_eq(&report(&[file(path, &table(20_000))], &[]));
}
