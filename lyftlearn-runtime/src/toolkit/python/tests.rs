//! Tables of what Python itself says.

use super::read::DEPTH;
use super::{NoValue, Value, Writer, argument, float, loads};

fn dumps(value: &Value) -> String {
    let mut writer = Writer::new(usize::MAX);
    writer.value(value).unwrap();
    writer.finish()
}

/// Text, what `json.dumps` makes of it, what the command line has.
#[track_caller]
fn check(table: &[(&str, &str, &str)]) {
    for (text, json, word) in table {
        let value = loads(text).unwrap_or_else(|err| panic!("{text}: {err:?}"));
        assert_eq!(dumps(&value), *json, "{text}");
        assert_eq!(argument(&value).into_string().unwrap(), *word, "{text}");
    }
}

#[test]
fn floats_are_written_as_python_does() {
    for (number, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (1e5, "100000.0"),
        (1e15, "1000000000000000.0"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (12_345_678_901_234_567.0, "1.2345678901234568e+16"),
        (1e22, "1e+22"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (0.000_123, "0.000123"),
        (1.5e-7, "1.5e-07"),
        (5e-324, "5e-324"),
        (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
        (2.5, "2.5"),
        (2f64.powi(-44), "5.684341886080802e-14"),
        (9_007_199_254_740_993.0, "9007199254740992.0"),
        (1234.5678, "1234.5678"),
        (0.00123, "0.00123"),
        (-1e100, "-1e+100"),
        (0.30000000000000004, "0.30000000000000004"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ] {
        assert_eq!(float(number), expected);
    }
}

#[test]
fn numbers_read_as_python_reads_them() {
    check(&[
        ("  5  ", "5", "5"),
        ("-0", "0", "0"),
        ("-0.0", "-0.0", "-0.0"),
        ("1e5", "100000.0", "100000.0"),
        ("1E-5", "1e-05", "1e-05"),
        ("1e400", "Infinity", "inf"),
        ("-1e400", "-Infinity", "-inf"),
        // Two are as short and as near: the even one.
        (
            "1033895600500387.25",
            "1033895600500387.2",
            "1033895600500387.2",
        ),
        (
            "9539194988155.8125",
            "9539194988155.812",
            "9539194988155.812",
        ),
        ("NaN", "NaN", "nan"),
        ("Infinity", "Infinity", "inf"),
        ("-Infinity", "-Infinity", "-inf"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        ("[0.1, -3, null]", "[0.1,-3,null]", "[0.1, -3, None]"),
    ]);
}

#[test]
fn texts_that_are_no_json_are_refused() {
    for text in [
        "",
        " ",
        "007",
        "+7",
        "0x10",
        "1_000",
        "True",
        "None",
        "\u{a0}5",
        "1.",
        "1e",
        ".5",
        "-",
        "--1",
        "nan",
        "-NaN",
        "+Infinity",
        "[1,]",
        "[",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "\"a",
        "\"a\nb\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "1 2",
        "\u{feff}1",
        "\"\t\"",
        "truefalse",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":}",
        "\u{0c}1",
        "\"\\ud800\\uzzzz\"",
    ] {
        assert_eq!(loads(text), Err(NoValue::NotJson), "{text}");
    }
    assert_eq!(loads(&"9".repeat(4301)), Err(NoValue::NotJson));
    assert!(loads(&format!("-{}", "9".repeat(4300))).is_ok());
}

#[test]
fn depth_has_an_end() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(dumps(&loads(&nested(DEPTH)).unwrap()), nested(DEPTH));
    assert_eq!(loads(&nested(DEPTH + 1)), Err(NoValue::TooDeep));
    assert_eq!(loads(&"[".repeat(1_000_000)), Err(NoValue::TooDeep));
}

#[test]
fn objects_are_sorted_in_json_and_keep_their_order_within_a_word() {
    check(&[
        ("{}", "{}", ""),
        (
            r#"{"b": 1, "a": [true, {"z": 1, "y": null}]}"#,
            r#"{"a":[true,{"y":null,"z":1}],"b":1}"#,
            "a=[True, {'z': 1, 'y': None}],b=1",
        ),
        (r#"{"b": 1, "a": 2, "b": 3}"#, r#"{"a":2,"b":3}"#, "a=2,b=3"),
        (
            r#"[{"b": 1, "a": 2, "b": 3}]"#,
            r#"[{"a":2,"b":3}]"#,
            "[{'b': 3, 'a': 2}]",
        ),
        (
            r#"{"\uffff": 1, "\ud83d\ude00": 2, "z": 3}"#,
            r#"{"z":3,"\uffff":1,"\ud83d\ude00":2}"#,
            "z=3,\u{ffff}=1,\u{1f600}=2",
        ),
    ]);
    let many: String = (0..20)
        .map(|number| format!("\"k{}\":{number},", number % 10))
        .collect();
    let value = loads(&format!("{{{}\"k0\":0}}", many)).unwrap();
    assert!(dumps(&value).starts_with(r#"{"k0":0,"k1":11,"k2":12"#));
}

#[test]
fn texts_are_escaped_for_ascii_and_quoted_as_python_does() {
    check(&[
        ("\"bob\"", "\"bob\"", "bob"),
        ("[\"bob\"]", "[\"bob\"]", "['bob']"),
        ("[\"it's\"]", "[\"it's\"]", "[\"it's\"]"),
        (r#"["it's \"x\""]"#, r#"["it's \"x\""]"#, r#"['it\'s "x"']"#),
        (
            "[\"\\n\\t\\r\\b\\f\\\\\\/\"]",
            "[\"\\n\\t\\r\\b\\f\\\\/\"]",
            "['\\n\\t\\r\\x08\\x0c\\\\/']",
        ),
        (
            "[\"é\u{7f}\u{85}\u{a0}\u{ad}\"]",
            "[\"\\u00e9\\u007f\\u0085\\u00a0\\u00ad\"]",
            "['é\\x7f\\x85\\xa0\\xad']",
        ),
        (
            "[\"\u{200b}\u{2028}\u{3000}\u{e000}\u{10ffff}\"]",
            "[\"\\u200b\\u2028\\u3000\\ue000\\udbff\\udfff\"]",
            "['\\u200b\\u2028\\u3000\\ue000\\U0010ffff']",
        ),
        (
            "[\"e\u{301}😀漢\"]",
            "[\"e\\u0301\\ud83d\\ude00\\u6f22\"]",
            "['e\u{301}😀漢']",
        ),
        (r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude00"]"#, "['😀']"),
        (
            r#"["\ud83d", "\ude00\ud83d"]"#,
            r#"["\ud83d","\ude00\ud83d"]"#,
            r"['\ud83d', '\ude00\ud83d']",
        ),
    ]);
    let lone = loads(r#""\ud800\u0041""#).unwrap();
    assert_eq!(dumps(&lone), r#""\ud800A""#);
    assert_eq!(argument(&lone).into_string(), None);
}

#[test]
fn a_writer_stops_at_its_limit() {
    let value = loads("[1,2,3]").unwrap();
    assert!(Writer::new(7).value(&value).is_ok());
    assert!(Writer::new(6).value(&value).is_err());
}
