use std::ffi::OsString;

use expect_test::{Expect, expect};

use super::{Layers, Source, environment, layered};

fn vars(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    list.iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn ours(list: &[(&str, &str)]) -> Vec<(String, OsString)> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), value.into()))
        .collect()
}

#[track_caller]
fn check(layers: &Layers<'_>, expected: &[(&str, &str)]) {
    let environment = environment(layers, &[]).unwrap();
    assert_eq!(environment.variables, vars(expected));
    assert!(environment.left_out.is_empty());
}

#[test]
fn order_is_kept_ours_are_replaced_in_place_and_leftovers_go() {
    check(
        &Layers {
            found: &vars(&[
                ("Z", "1"),
                ("LYFTLEARN_ROLE", "outer"),
                ("LYFTLEARN_CHANNEL_OLD", "/old"),
                ("LYFTLEARN_RUNTIME_LOG", "off"),
                ("LYFTLEARN_MINE", "kept"),
                ("A", "2"),
            ]),
            ours: &ours(&[("LYFTLEARN_ROLE", "job"), ("LYFTLEARN_NODES", "1")]),
            ..Layers::default()
        },
        &[
            ("Z", "1"),
            ("LYFTLEARN_ROLE", "job"),
            ("LYFTLEARN_RUNTIME_LOG", "off"),
            ("LYFTLEARN_MINE", "kept"),
            ("A", "2"),
            ("LYFTLEARN_NODES", "1"),
        ],
    );
}

#[test]
fn a_name_that_is_not_reserved_keeps_its_inherited_value() {
    check(
        &Layers {
            found: &vars(&[("AWS_REGION", "eu-west-1"), ("MASTER_ADDR", "")]),
            ours: &ours(&[
                ("AWS_REGION", "us-east-1"),
                ("AWS_DEFAULT_REGION", "us-east-1"),
                ("MASTER_ADDR", "algo-1"),
            ]),
            ..Layers::default()
        },
        &[
            ("AWS_REGION", "eu-west-1"),
            ("MASTER_ADDR", "algo-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ],
    );
}

#[test]
fn a_name_that_is_taken_is_ours_or_gone() {
    let document = |name: &str| (name.into(), "document".into(), "/d/environment.json".into());
    let taken = ["A", "B", "C", "D"].map(str::to_owned);
    check(
        &Layers {
            found: &vars(&[("A", "found"), ("B", "found"), ("E", "found")]),
            documents: &["A", "C", "D"].map(document),
            ours: &ours(&[("A", "ours"), ("C", "ours")]),
            taken: &taken,
            ..Layers::default()
        },
        &[("A", "ours"), ("E", "found"), ("C", "ours")],
    );
}

#[test]
fn a_document_overrides_the_image_and_not_the_platform() {
    let document = |name: &str| (name.into(), "document".into(), "/d/environment.json".into());
    let layers = Layers {
        found: &vars(&[("OF_IMAGE", "image"), ("OF_POD", "pod"), ("BLANK", "")]),
        image: &vars(&[("OF_IMAGE", "image"), ("OF_POD", "image")]),
        documents: &["OF_IMAGE", "OF_POD", "BLANK", "PET_NNODES", "NEW"].map(document),
        ours: &ours(&[("PET_NNODES", "2")]),
        optional: &[],
        ..Layers::default()
    };
    check(
        &layers,
        &[
            ("OF_IMAGE", "document"),
            ("OF_POD", "pod"),
            ("BLANK", "document"),
            ("PET_NNODES", "document"),
            ("NEW", "document"),
        ],
    );
    let of_image = &layered(&layers)[0];
    assert_eq!(
        of_image.value.0,
        Source::Document("/d/environment.json".into())
    );
    assert_eq!(of_image.shadowed, [(Source::Image, "image".into())]);
    assert!(!format!("{of_image:?}").contains("\"document\""));
}

#[track_caller]
fn refused(found: &[(OsString, OsString)], report: Expect) {
    let layers = Layers {
        found,
        ..Layers::default()
    };
    let shown = environment(&layers, &[]).unwrap_err().report();
    report.assert_eq(&shown);
    assert!(!shown.contains("xxxx"), "{shown}");
}

#[test]
fn a_variable_over_the_kernels_limit_is_refused_with_name_and_size() {
    let just_fits = "x".repeat(131_072 - "BIG=".len() - 1);
    check(
        &Layers {
            found: &vars(&[("BIG", &just_fits)]),
            ..Layers::default()
        },
        &[("BIG", &just_fits)],
    );
    refused(
        &vars(&[("BIG", &format!("{just_fits}x"))]),
        expect![[r#"
            lyftlearn-runtime: cannot pass $BIG to the program: 131073 bytes with its name, the kernel's limit is 131072
              hint: deliver large values as a file in the config directory, and read that
        "#]],
    );
}

#[test]
fn optional_variables_are_dropped_first_and_a_users_value_stays() {
    let optional: Vec<(String, String)> = (0..100)
        .map(|number| (format!("SM_HP_{number}"), "x".repeat(1000 + number)))
        .chain([("SM_HOSTS".to_owned(), "[]".to_owned())])
        .collect();
    // All but 60 kB of what the kernel takes, in pieces that are small enough.
    let piece = "x".repeat(10_000);
    let mut found: Vec<(OsString, OsString)> = (0..(super::total_limit() - 60_000) / 10_100)
        .map(|number| (format!("V{number}").into(), piece.clone().into()))
        .collect();
    found.push(("SM_HP_99".into(), "mine".into()));
    let layers = Layers {
        found: &found,
        optional: &optional,
        ..Layers::default()
    };
    let environment = environment(&layers, &[]).unwrap();
    assert!(!environment.left_out.is_empty());
    let names: Vec<&str> = environment
        .variables
        .iter()
        .filter_map(|(name, _)| name.to_str())
        .collect();
    assert!(names.contains(&"SM_HOSTS") && names.contains(&"SM_HP_99"));
    assert!(!environment.left_out.contains(&"SM_HP_99".to_owned()));
    for name in &environment.left_out {
        assert!(!names.contains(&name.as_str()));
    }
    // The largest first.
    assert!(environment.left_out.contains(&"SM_HP_98".to_owned()));
    assert!(names.contains(&"SM_HP_0"));
}

#[test]
fn an_environment_over_the_kernels_limit_is_refused_with_its_size() {
    let value = "x".repeat(100_000);
    let many: Vec<(OsString, OsString)> = (0..1000)
        .map(|number| (format!("V{number}").into(), value.clone().into()))
        .collect();
    let layers = Layers {
        found: &many,
        ..Layers::default()
    };
    let shown = environment(&layers, &[]).unwrap_err().report();
    // The second number is this machine's limit.
    let numbers: Vec<&str> = shown
        .split(|c: char| !c.is_ascii_digit())
        .filter(|n| !n.is_empty())
        .collect();
    assert!(numbers[0].starts_with("100"), "{shown}");
    assert!(!shown.contains("xxxx"), "{shown}");
}
