//! Keys end while clients live: the same client, in the same process, comes with the next.

use super::*;

/// Longer than the ten seconds before an end at which Rust's SDK asks anew, and the five of the
/// C++ SDK; all others do minutes before, which is at each use.
const LIFE_SECONDS: u32 = 14;

#[test]
fn every_client_crosses_the_end_of_its_key_in_one_process() {
    let mut stage = stage!();
    let container = stage.container("");
    check_crossing(&mut stage, &container, &at_hand(ALL));
}

/// Each client, in one process: a key, its end, and another key.
#[track_caller]
pub(super) fn check_crossing(stage: &mut Stage, container: &Sandbox, clients: &[&str]) {
    stage.mood(&json!({"life": LIFE_SECONDS}));
    let argv = stage.program("crossing.py", clients);
    let output = container.run(&argv).end_within(Duration::from_secs(150));
    check_end(&output, 0);
    stage.check_unseen(&output);
    for client in clients {
        let keys = stage.keys_of(client);
        assert!(
            keys.is_sorted(),
            "{client} went back to an older key: {keys:?}"
        );
        assert!(
            keys.first() < keys.last(),
            "{client} stayed with its key: {keys:?}"
        );
        assert!(
            keys.iter().all(|key| key.starts_with("ASIA")),
            "{client}: {keys:?}"
        );
    }
    // AWS rejects an expired key, and so does the stand-in.
    let seen = stage.seen();
    let mut refused = seen["aws"].as_array().unwrap().iter();
    assert_eq!(refused.find(|entry| entry["refused"] == true), None);
}
