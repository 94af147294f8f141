//! AWS's SDKs for Go, both versions. Their packages are built by `make test-go`, which runs these
//! tests.

use super::expiry::check_crossing;
use super::*;

pub(super) const SDKS: &[&str] = &["go-1", "go-2"];

fn with_go(container: Sandbox) -> Option<Sandbox> {
    let peers = programs::go_peers()?;
    Some(container.mount_read_only(peers, "/opt/go"))
}

#[test]
#[ignore = "needs Go, and builds its peers for minutes: make test-go"]
fn both_sdks_of_go_find_the_one_identity() {
    let mut stage = stage!();
    let Some(container) = with_go(stage.container("")) else {
        return;
    };
    let output = ended(&container, &stage.reading(SDKS));
    check_end(&output, 0);
    stage.check_unseen(&output);
    stage.check_one_key(SDKS);
}

#[test]
#[ignore = "needs Go, and builds its peers for minutes: make test-go"]
fn both_sdks_of_go_find_it_by_the_profile() {
    let mut stage = stage!();
    // Version 1 reads `config` only if a variable says so.
    let settings = "[credentials]\nprofile_files = [\"/root/.aws/credentials\"]\n";
    let Some(container) = with_go(stage.container(settings)) else {
        return;
    };
    let emptied = "env -i HOME=/root PATH=/usr/bin:/bin AWS_REGION=eu-west-1";
    let script = format!("{emptied} {}", stage.reading(SDKS).join(" "));
    let output = ended(&container, &["sh", "-c", &script]);
    check_end(&output, 0);
    stage.check_unseen(&output);
    stage.check_one_key(SDKS);
}

#[test]
#[ignore = "needs Go, and builds its peers for minutes: make test-go"]
fn both_sdks_of_go_cross_the_end_of_their_key_in_one_process() {
    let mut stage = stage!();
    let Some(container) = with_go(stage.container("")) else {
        return;
    };
    check_crossing(&mut stage, &container, SDKS);
}
