//! The shapes of one report, word for word.

use expect_test::{expect, expect_file};
use lyftlearn_conformance::check::{Figure, Finding, Level, Verdict};
use lyftlearn_conformance::probe::program::View;
use lyftlearn_conformance::report::source::Source;
use lyftlearn_conformance::report::{self, Report};
use serde_json::json;

fn finding(check: &str, place: Option<&str>, verdict: Verdict) -> Finding {
    Finding {
        check: check.to_owned(),
        level: if check == "serve.exit-zero" {
            Level::Should
        } else {
            Level::Must
        },
        place: place.map(str::to_owned),
        verdict,
        seconds: 1.25,
        figures: Default::default(),
        figure: None,
        log: None,
    }
}

fn view(grace: u32, region: &str) -> View {
    View {
        variables: [
            ("AWS_REGION", region),
            ("LANG", "abc"),
            ("COLOUR", &format!("{grace}")),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        workload: json!({"platform": region, "role": "training"}),
        ..View::default()
    }
}

fn sample() -> Report {
    let text = str::to_owned;
    let failed = |seen: &str| Verdict::Failed {
        seen: text(seen),
        expected: text("something else"),
        mend: text("mend it"),
    };
    let mut drained = finding(
        "serve.drain",
        Some("kubernetes-pod"),
        failed("2 of 40 requests were lost: \u{1b}[31mreset & <gone>"),
    );
    drained.log = Some("a line\n\u{1b}[2Jand \u{202e}another\n".to_owned());
    let mut ready = finding(
        "serve.ready",
        Some("kubernetes-pod"),
        Verdict::Passed { note: None },
    );
    ready.figures.insert("ready_seconds".to_owned(), 0.75);
    let figure = |check, value, budget, verdict| {
        let mut finding = finding(check, None, verdict);
        finding.level = Level::Should;
        finding.figure = Some(Figure {
            value,
            budget,
            unit: text("MiB"),
        });
        finding
    };
    let note = Some(text("2 of 3 layers"));
    let small = figure("lazy.small-layers", 8.0, None, Verdict::Passed { note });
    let order = figure("layers.order", 40.25, Some(32.0), failed("40.2 MiB: a | b"));
    Report {
        format: 1,
        checker: text("0.1.0"),
        image: report::Image {
            reference: text("app:1 <b>"),
            digest: format!("sha256:{}", "0123456789abcdef".repeat(4)),
            architecture: text("amd64"),
            layers: vec![30_000_000, 10_000_000],
            spans: vec![(8, 3), (0, 0)],
            files: 1234,
        },
        engine: Some(text("podman")),
        strict: false,
        started: text("2027-03-31T12:00:00Z"),
        seconds: 61.5,
        findings: vec![
            finding("image.user", None, Verdict::Passed { note: None }),
            finding(
                "image.healthcheck",
                None,
                failed("the image has a HEALTHCHECK"),
            ),
            order,
            small,
            finding(
                "image.cmd",
                None,
                Verdict::Skipped {
                    reason: text("no reason"),
                },
            ),
            ready,
            drained,
            finding(
                "serve.exit-zero",
                Some("kubernetes-pod"),
                failed("exit code 143 after SIGTERM"),
            ),
            finding(
                "image.cmd",
                None,
                Verdict::Waived {
                    seen: text("CMD is [\"serve\"]"),
                    reason: text("for docker run"),
                },
            ),
            finding(
                "train.stop",
                Some("sagemaker-training"),
                Verdict::Waived {
                    seen: text("slow"),
                    reason: text("known"),
                },
            ),
            finding(
                "start.off",
                Some("bare"),
                Verdict::Unknown {
                    why: text("podman run … failed: no room"),
                },
            ),
        ],
        views: [
            ("sagemaker-training", "sagemaker"),
            ("kubernetes-job", "kubernetes"),
        ]
        .map(|(place, region)| report::Seen {
            place: text(place),
            word: text("train"),
            view: view(u32::from(place.starts_with('s')), region),
        })
        .into(),
        opened: vec![text("/usr/bin/python3")],
    }
}

#[test]
fn as_text() {
    let plain = anstream::adapter::strip_str(&report::text::whole(&sample())).to_string();
    expect![[r#"
        ok     image.user                               1.2 s
        FAIL   image.healthcheck                        1.2 s
                 found:    the image has a HEALTHCHECK
                 expected: something else
                 to do:    mend it
        warn   layers.order                             1.2 s
                 found:    40.2 MiB: a | b
                 expected: something else
                 to do:    mend it
        ok     lazy.small-layers                        1.2 s  (2 of 3 layers)
        skip   image.cmd                                1.2 s  (no reason)
        ok     serve.ready        kubernetes-pod        1.2 s
        FAIL   serve.drain        kubernetes-pod        1.2 s
                 found:    2 of 40 requests were lost: \u{1b}[31mreset & <gone>
                 expected: something else
                 to do:    mend it
        warn   serve.exit-zero    kubernetes-pod        1.2 s
                 found:    exit code 143 after SIGTERM
                 expected: something else
                 to do:    mend it
        waived image.cmd                                1.2 s
                 found:    CMD is ["serve"]
                 reason:   for docker run
        waived train.stop         sagemaker-training    1.2 s
                 found:    slow
                 reason:   known
        ?      start.off          bare                  1.2 s
                 why:      podman run … failed: no room

        figure             measured  budget
        layers.order       40.2 MiB  32 MiB  over
        lazy.small-layers     8 MiB       -

        app:1 <b> (0123456789ab), podman, 61.5 s
        3 passed, 2 failed, 1 skipped, 2 warned, 2 waived, 1 not checked
    "#]]
    .assert_eq(&plain);
}

#[test]
fn as_junit() {
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="lyftlearn-conformance" tests="11" failures="2" errors="1" time="61.500">
            <testsuite name="image" tests="6" skipped="3" errors="0" failures="1">
                <properties>
                    <property name="image" value="app:1 &lt;b&gt;"/>
                    <property name="digest" value="sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"/>
                    <property name="layers.order: value" value="40.2 MiB"/>
                    <property name="layers.order: budget" value="32 MiB"/>
                    <property name="lazy.small-layers: value" value="8 MiB"/>
                </properties>
                <testcase name="image.user" classname="image" time="1.250"/>
                <testcase name="image.healthcheck" classname="image" time="1.250">
                    <failure message="the image has a HEALTHCHECK">found: the image has a HEALTHCHECK
        expected: something else
        to do: mend it</failure>
                </testcase>
                <testcase name="layers.order" classname="image" time="1.250">
                    <skipped message="warning: 40.2 MiB: a | b"/>
                </testcase>
                <testcase name="lazy.small-layers" classname="image" time="1.250"/>
                <testcase name="image.cmd" classname="image" time="1.250">
                    <skipped message="no reason"/>
                </testcase>
                <testcase name="image.cmd" classname="image" time="1.250">
                    <skipped message="waived: for docker run"/>
                </testcase>
            </testsuite>
            <testsuite name="kubernetes-pod" tests="3" skipped="1" errors="0" failures="1">
                <properties>
                    <property name="image" value="app:1 &lt;b&gt;"/>
                    <property name="digest" value="sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"/>
                    <property name="serve.ready: ready_seconds" value="0.75"/>
                </properties>
                <testcase name="serve.ready" classname="kubernetes-pod" time="1.250"/>
                <testcase name="serve.drain" classname="kubernetes-pod" time="1.250">
                    <failure message="2 of 40 requests were lost: \u{1b}[31mreset &amp; &lt;gone&gt;">found: 2 of 40 requests were lost: \u{1b}[31mreset &amp; &lt;gone&gt;
        expected: something else
        to do: mend it</failure>
                    <system-out>a line
        \u{1b}[2Jand \u{202e}another
        </system-out>
                </testcase>
                <testcase name="serve.exit-zero" classname="kubernetes-pod" time="1.250">
                    <skipped message="warning: exit code 143 after SIGTERM"/>
                </testcase>
            </testsuite>
            <testsuite name="sagemaker-training" tests="1" skipped="1" errors="0" failures="0">
                <properties>
                    <property name="image" value="app:1 &lt;b&gt;"/>
                    <property name="digest" value="sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"/>
                </properties>
                <testcase name="train.stop" classname="sagemaker-training" time="1.250">
                    <skipped message="waived: known"/>
                </testcase>
            </testsuite>
            <testsuite name="bare" tests="1" skipped="0" errors="1" failures="0">
                <properties>
                    <property name="image" value="app:1 &lt;b&gt;"/>
                    <property name="digest" value="sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"/>
                </properties>
                <testcase name="start.off" classname="bare" time="1.250">
                    <error message="podman run … failed: no room"/>
                </testcase>
            </testsuite>
        </testsuites>
    "#]].assert_eq(&report::junit::whole(&sample()).unwrap());
}

#[test]
fn as_a_page() {
    let page = report::html::whole(&sample());
    for forbidden in ["<script", "http://", "https://", "url(", "@import", "<b>"] {
        assert!(!page.contains(forbidden), "{forbidden} is in the page");
    }
    expect_file!["page.html"].assert_eq(&page);
}

fn dockerfile() -> Source {
    let text = "FROM base\nHEALTHCHECK CMD true\nCMD [\"serve\"]\nCOPY train.py /opt/program/\n";
    Source {
        path: "a b/Dockerfile".to_owned(),
        dockerfile: Some(text.to_owned()),
    }
}

#[test]
fn as_sarif() {
    let sarif = report::sarif::whole(&sample(), &dockerfile()).unwrap();
    expect_file!["sarif.json"].assert_eq(&sarif);
}

#[test]
fn as_github_shows_it() {
    let report = sample();
    expect![[r#"
        ::error file=a b/Dockerfile,line=2,title=image.healthcheck::the image has a HEALTHCHECK%0Aexpected: something else%0Ato do: mend it
        ::warning file=a b/Dockerfile,line=4,title=layers.order::40.2 MiB: a | b%0Aexpected: something else%0Ato do: mend it
        ::error title=serve.drain in kubernetes-pod::2 of 40 requests were lost: \u{1b}[31mreset & <gone>%0Aexpected: something else%0Ato do: mend it
        ::warning title=serve.exit-zero in kubernetes-pod::exit code 143 after SIGTERM%0Aexpected: something else%0Ato do: mend it
        ::error title=start.off in bare::not checked: podman run … failed: no room
        3 passed, 2 failed, 1 skipped, 2 warned, 2 waived, 1 not checked
    "#]].assert_eq(&report::github::annotations(&report, Some(&dockerfile())));
    let without = report::github::annotations(&report, None);
    assert!(
        without.starts_with("::error title=image.healthcheck::"),
        "{without}"
    );
    expect![[r#"
        ### app:1 &lt;b&gt; does not pass

        3 passed, 2 failed, 1 skipped, 2 warned, 2 waived, 1 not checked

        | check | place | result | details |
        |---|---|---|---|
        | image.healthcheck | – | failed | the image has a HEALTHCHECK<br>to do: mend it |
        | layers.order | – | warned | 40.2 MiB: a \| b<br>to do: mend it |
        | serve.drain | kubernetes-pod | failed | 2 of 40 requests were lost: \\u{1b}\[31mreset &amp; &lt;gone&gt;<br>to do: mend it |
        | serve.exit-zero | kubernetes-pod | warned | exit code 143 after SIGTERM<br>to do: mend it |
        | image.cmd | – | waived | for docker run |
        | train.stop | sagemaker-training | waived | known |
        | start.off | bare | not checked | podman run … failed: no room |

        | figure | measured | budget |
        |---|---:|---:|
        | layers.order | 40.2 MiB | 32 MiB |
        | lazy.small-layers | 8 MiB | – |
    "#]].assert_eq(&report::github::summary(&report));
}

#[test]
fn as_json_and_back() {
    let whole = sample();
    let text = serde_json::to_string(&whole).unwrap();
    let again: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(
        serde_json::to_value(&again).unwrap(),
        serde_json::to_value(&whole).unwrap()
    );
}

#[test]
fn the_exit_code_follows_the_findings() {
    let code = |keep: &dyn Fn(&Finding) -> bool, strict| {
        let mut report = sample();
        report.findings.retain(|finding| keep(finding));
        report.strict = strict;
        report.exit_code()
    };
    let fails = |finding: &Finding| matches!(finding.verdict, Verdict::Failed { .. });
    assert_eq!(code(&|_| true, false), 1);
    assert_eq!(code(&|finding| !fails(finding), false), 3);
    assert_eq!(
        code(&|finding| finding.check == "serve.exit-zero", false),
        0
    );
    assert_eq!(code(&|finding| finding.check == "serve.exit-zero", true), 1);
    assert_eq!(code(&|finding| finding.check == "image.cmd", false), 0);
    assert_eq!(code(&|finding| finding.check == "image.cmd", true), 1);
    assert_eq!(code(&|finding| finding.check == "train.stop", true), 0);
}

#[test]
fn compared_with_an_older_one() {
    let new = sample();
    let mut old = sample();
    old.findings.retain(|finding| finding.check != "image.user");
    old.findings
        .retain(|finding| finding.check != "serve.drain");
    old.findings.push(finding(
        "serve.drain",
        Some("kubernetes-pod"),
        Verdict::Passed { note: None },
    ));
    old.findings
        .push(finding("image.env", None, Verdict::Passed { note: None }));
    expect![[r#"
        image.user: absent before, passed now
        serve.drain in kubernetes-pod: passed before, failed now
        image.env: passed before, absent now
    "#]]
    .assert_eq(&report::text::compared(&new, &old));
    assert_eq!(
        report::text::compared(&new, &new),
        "no check changed its result\n"
    );
}

/// The text and the page name it; a cause that stands alone needs no advice.
#[test]
fn what_makes_other_checks_fail_is_to_be_corrected_first() {
    let advice = "correct image.entrypoint and image.user first: other failures may follow from it";
    let failed = |check: &str| {
        let verdict = Verdict::Failed {
            seen: "a".to_owned(),
            expected: "b".to_owned(),
            mend: "c".to_owned(),
        };
        finding(check, None, verdict)
    };
    let of = |checks: &[&str]| Report {
        findings: checks.iter().map(|check| failed(check)).collect(),
        ..sample()
    };
    let several = of(&["image.entrypoint", "image.user", "start.off"]);
    assert!(report::text::whole(&several).ends_with(&format!("\n{advice}\n")));
    assert!(report::html::whole(&several).contains(advice));
    for alone in [of(&["image.user"]), of(&["start.off", "quiet"])] {
        assert_eq!(alone.first(), None);
    }
}
