//! What a program notes of its exceptions is its own text: nothing of a secret gets through.

use serde_json::json;

use super::{End, Exception, How, Outcome, Redact};
use crate::fuzz::{Draw, check_hidden, target};

/// No part of six characters of one is in a word below or in our own texts.
const SECRETS: &[&str] = &[
    "canary7391qzx",
    "k9!hunter#Z\u{e9}\u{1f600}24",
    "ab/+c=d%2Fvwkj==",
    "line-one-qq\nline-two-ww",
    "zq0zq1zq2zq0zq1zq2",
    "ZmlmdGVlbi1sZXR0ZXJz",
    // The end of the first, and more.
    "1qzx-overlaps-it",
];

const WORDS: &[&str] = &[
    "ValueError",
    "SystemExit",
    "subprocess.CalledProcessError",
    " ",
    "\n",
    "\u{1b}[31m",
    "\u{2026}",
    "/app/train.py",
    "token=",
    "'",
    "\\",
    "\u{2028}",
    "message",
    "0",
];

/// As a secret comes into a message: as it is, encoded, or cut where the package cuts.
fn text(draw: &mut Draw<'_>) -> String {
    let mut text = String::new();
    for _ in 0..draw.below(6) {
        let secret = draw.pick(SECRETS);
        match draw.below(8) {
            0 => text.push_str(secret),
            1 => text.push_str("canary7391qzx-overlaps-it"),
            2 => text.push_str(&base64(secret)),
            3 => text.push_str(&in_a_url(secret)),
            4 => {
                let letters: Vec<char> = secret.chars().collect();
                let cut = draw.below(letters.len() + 1);
                let from = cut + draw.below(letters.len() + 1 - cut);
                text.extend(&letters[..cut]);
                text.push('\u{2026}');
                text.extend(&letters[from..]);
            }
            5 => text.push_str(&draw.pick(WORDS).repeat(draw.below(600))),
            _ => text.push_str(&draw.text(WORDS, 3)),
        }
    }
    text
}

fn base64(secret: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret)
}

fn in_a_url(secret: &str) -> String {
    let escaped = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    secret.bytes().map(escaped).collect()
}

fn note(draw: &mut Draw<'_>) -> Option<Exception> {
    let pid = draw.pick(&[7, 8, 9, 1, 0, -1]);
    let mut parents = Vec::new();
    for _ in 0..draw.below(3) {
        parents.push(draw.pick(&[7, 8, 9, 1]));
    }
    let time = draw.pick(&[0.0, 1.0, 9.5, 10.0, 1e300, -1.0]);
    let kind = if draw.once_in(3) {
        text(draw)
    } else {
        draw.pick(WORDS).to_owned()
    };
    let mut note = json!({
        "type": kind,
        "message": text(draw),
        "file": text(draw),
        "line": draw.below(9),
        "function": text(draw),
        "pid": pid,
        "thread": text(draw),
        "main_thread": !draw.once_in(4),
        "time": time,
        "parents": parents,
        "started": 0.5,
        "ended": time,
        "exit_code": draw.pick(&[0, 1, 3]),
    });
    if draw.once_in(3) {
        note["cause"] = json!({"type": text(draw), "message": text(draw), "file": text(draw)});
    }
    serde_json::from_value(draw.spoilt(note, WORDS)).ok()
}

fn notes(draw: &mut Draw<'_>) {
    let code = draw.pick(&[1, 3, 255]);
    let end = End {
        how: How::Exited {
            code,
            program: draw.pick(&[Some(7), Some(7), None]),
        },
        exit_code: u8::try_from(code).expect("it is small"),
        ended: draw.pick(&[Some(10.0), None]),
        ..End::default()
    };
    let exceptions: Vec<Exception> = (0..draw.below(4)).filter_map(|_| note(draw)).collect();
    let secrets = SECRETS
        .iter()
        .map(|secret| secret.as_bytes().to_vec())
        .collect();
    let redact = Redact::default().with(secrets);
    let outcome = Outcome::of(&end, exceptions, None, &redact);
    let document = serde_json::to_string(&outcome).expect("plain data has no failure to report");
    for secret in SECRETS {
        for text in [&outcome.reason, &outcome.ended] {
            check_hidden(text, secret, 6);
        }
        for encoded in [base64(secret), in_a_url(secret)] {
            check_hidden(&document, &encoded, encoded.len());
        }
    }
    if let Some(exception) = &outcome.exception {
        let texts = [
            Some(&exception.message),
            Some(&exception.kind),
            exception.file.as_ref(),
        ];
        for text in texts.into_iter().flatten() {
            assert!(text.chars().count() <= super::redact::MESSAGE_CHARACTERS);
            SECRETS
                .iter()
                .for_each(|secret| check_hidden(text, secret, 6));
        }
    }
    let unseen = |letter: char| letter.is_control() && !"\n\t".contains(letter);
    assert!(!outcome.reason.contains(unseen), "{:?}", outcome.reason);
    assert!(outcome.reason.chars().count() < 10 * super::redact::MESSAGE_CHARACTERS);
}

#[test]
fn fuzz_notes() {
    target!(200, notes);
}
