//! Declarations as people get them wrong, and where each source lies.

use expect_test::{Expect, expect};

use super::super::{File, read};
use super::{Declared, Source};
use crate::workload::Platform;

fn file(text: &str) -> File {
    File {
        path: "/etc/lyftlearn/runtime.toml".to_owned(),
        bytes: text.into(),
    }
}

fn declared(text: &str) -> Vec<Declared> {
    read(&[file(text)], std::iter::empty(), &[])
        .unwrap()
        .secrets
}

#[track_caller]
fn check(text: &str, report: Expect) {
    let refused = read(&[file(text)], std::iter::empty(), &[]).unwrap_err();
    report.assert_eq(&refused.report());
}

#[test]
fn every_mistake_shows_at_once_and_no_value_does() {
    check(
        "[secrets.a]\nform = \"canary\"\nfrom = \"canary:x\"\nrequired = \"canary\"\n\
         [secrets.b]\nfrom = \"env:B\"\nenv = \"LD_PRELOAD\"\nfile = \"../canary\"\non_change = \"SIGTERM\"\n\
         [secrets.\"c d\"]\nfrom.kubernets = \"env:canary\"\n",
        expect![[r#"
            lyftlearn-runtime: cannot use these settings
              secrets.a.form in /etc/lyftlearn/runtime.toml: not a setting; did you mean secrets.a.from?
              secrets.c d.from.kubernets in /etc/lyftlearn/runtime.toml: not a setting; did you mean secrets.c d.from.kubernetes?
              secrets.a.from in /etc/lyftlearn/runtime.toml: expected confidant://SERVICE, aws-secretsmanager:NAME[?stage=STAGE|?version=ID][#KEY], aws-ssm:/NAME[#KEY], aws-ssm:/PATH/, file:/PATH or env:NAME
              secrets.a.required in /etc/lyftlearn/runtime.toml: expected true or false
              secrets.b.env in /etc/lyftlearn/runtime.toml: expected a variable that is not protected; to set it on purpose, name it in the setting environment.allow
              secrets.b.file in /etc/lyftlearn/runtime.toml: expected true, false, or a file's name
              secrets.b.on_change in /etc/lyftlearn/runtime.toml: expected a signal that does not stop the program, such as SIGHUP
              secrets.c d: expected letters, digits, -, _ and . in a secret's name
              secrets.c d: expected a source: set from
        "#]],
    );
}

#[test]
fn two_secrets_do_not_share_a_variable_or_a_file() {
    check(
        "[secrets.a]\nfrom = \"env:X\"\nenv = \"B\"\nfile = \"f\"\n[secrets.b]\nfrom = \"env:Y\"\nfile = \"f\"\n",
        expect![[r#"
            lyftlearn-runtime: cannot use these settings
              secrets.b: expected a variable for each secret
              secrets.b.file in /etc/lyftlearn/runtime.toml: expected a file for each secret
        "#]],
    );
}

#[test]
fn a_table_in_another_form_is_refused() {
    check(
        "secrets = \"canary\"\n",
        expect![[r#"
        lyftlearn-runtime: cannot use these settings
          secrets in /etc/lyftlearn/runtime.toml: expected tables, such as [secrets.db]
    "#]],
    );
    check(
        "[secrets]\ndb = \"env:canary\"\ndeadline = \"canary\"\n",
        expect![[r#"
            lyftlearn-runtime: cannot use these settings
              secrets.db in /etc/lyftlearn/runtime.toml: expected a table: [secrets.db] with from = ...
              secrets.deadline in /etc/lyftlearn/runtime.toml: expected a whole number of seconds
        "#]],
    );
    check(
        "[confidant]\nurl = \"https://name:canary@example.net\"\n",
        expect![[r#"
            lyftlearn-runtime: cannot use these settings
              confidant.url in /etc/lyftlearn/runtime.toml: expected a URL, such as https://confidant.example.net
        "#]],
    );
}

#[test]
fn a_variable_overrides_a_file_field_by_field() {
    let text = "[secrets.db]\nfrom = \"env:A\"\nfrom.kubernetes = \"file:/b\"\n";
    assert!(
        text.parse::<toml::Table>().is_err(),
        "TOML has one or the other"
    );
    let files = [file("[secrets.db]\nfrom = \"env:A\"\nrequired = false\n")];
    let json = r#"{"db": {"from": {"kubernetes": "file:/b"}}, "more": {"from": "aws-ssm:/x"}}"#;
    let variable = ("LYFTLEARN_RUNTIME_SECRETS", Some(json));
    let settings = read(&files, std::iter::once(variable), &[]).unwrap();
    let [db, more] = settings.secrets.as_slice() else {
        panic!("{:?}", settings.secrets);
    };
    assert!(!db.required && more.required);
    let path = "/b".to_owned();
    assert_eq!(
        db.source(Platform::Kubernetes),
        Some(&Source::File { path })
    );
    let name = "A".to_owned();
    assert_eq!(
        db.source(Platform::SageMaker),
        Some(&Source::Variable { name })
    );
    let layers: Vec<(&str, &str)> = (settings.layers.iter())
        .map(|layer| (layer.key.as_str(), layer.value.as_str()))
        .collect();
    assert!(
        layers.contains(&("secrets.db.from.kubernetes", "file:/b")),
        "{layers:?}"
    );
}

#[test]
fn sources_parse_to_their_meaning() {
    let shown = |from: &str| format!("{:?}", Source::parse(from));
    for (from, source) in [
        (
            "confidant://ranking-prod",
            r#"Some(Confidant { service: "ranking-prod" })"#,
        ),
        (
            "aws-secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf?stage=X#a/b",
            r#"Some(SecretsManager { id: "arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf", stage: Some("X"), version: None, key: Some("a/b") })"#,
        ),
        (
            "aws-secretsmanager:db?version=1-2",
            r#"Some(SecretsManager { id: "db", stage: None, version: Some("1-2"), key: None })"#,
        ),
        (
            "aws-ssm:/a/b:3#k",
            r#"Some(Parameter { name: "/a/b:3", key: Some("k") })"#,
        ),
        ("aws-ssm:/a/b/", r#"Some(Parameters { path: "/a/b/" })"#),
        ("file:/a b#c", r#"Some(File { path: "/a b#c" })"#),
        ("env:A", r#"Some(Variable { name: "A" })"#),
    ] {
        assert_eq!(shown(from), source);
    }
    for wrong in [
        "",
        "x",
        "confidant:a",
        "confidant://",
        "confidant://a/b",
        "confidant://a?b",
        "aws-ssm:",
        "aws-secretsmanager:",
        "aws-secretsmanager:a#",
        "aws-secretsmanager:a?x=1",
        "aws-secretsmanager:a?stage=",
        "file:relative",
        "env:",
        "env:A=B",
        "env:a\nb",
    ] {
        assert_eq!(shown(wrong), "None", "{wrong}");
    }
}

#[test]
fn variables_follow_from_the_name_and_the_source() {
    let text = "[secrets.db-main]\nfrom = \"env:X\"\n[secrets.ranking]\nfrom = \"confidant://r\"\n\
                [secrets.own]\nfrom = \"aws-ssm:/p/\"\nenv_prefix = \"OWN_\"\n[secrets.not]\nfrom = \"env:Y\"\nenv = false\n";
    let shown: Vec<(String, Option<String>, Option<String>)> = declared(text)
        .into_iter()
        .map(|secret| (secret.name.clone(), secret.variable(), secret.prefix))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        shown,
        [
            ("db-main".to_owned(), text("DB_MAIN"), None),
            ("not".to_owned(), None, None),
            ("own".to_owned(), None, text("OWN_")),
            ("ranking".to_owned(), None, text("CREDENTIALS_")),
        ]
    );
}
