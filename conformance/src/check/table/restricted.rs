//! Checks under the Pod Security Standard `restricted`.

use crate::check::{Check, Level, Need, Profile, Seen, Subject};
use crate::check::{serve, start, train};
use crate::place::{Place, Word};
use crate::trouble::Result;

/// In the order in which they are reported.
pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "restricted.start",
        level: Level::Must,
        profile: Profile::Restricted,
        needs: &[Need::Engine],
        passes: "it starts under the strictest Pod Security Standard",
        why: "Clusters enforce the Pod Security Standard restricted.",
        how: "The image is started with an arbitrary uid without a passwd entry, a read-only root, no capabilities, no_new_privs and an emptyDir at /tmp. The probe takes the place of its program.",
        mend: "write only to /tmp and the volumes, and make the program readable for every user",
        run: start::restricted,
    },
    Check {
        id: "restricted.train",
        level: Level::Must,
        profile: Profile::Restricted,
        needs: &[Need::Engine, Need::Training, Need::TrainSection],
        passes: "the training completes in a restricted pod",
        why: "Clusters enforce the Pod Security Standard restricted.",
        how: "As train.completes, in a restricted pod.",
        mend: "write only to /tmp and the volumes",
        run: train::restricted,
    },
    Check {
        id: "restricted.serve",
        level: Level::Must,
        profile: Profile::Restricted,
        needs: &[Need::Engine, Need::Serving, Need::ServeSection],
        passes: "the server becomes ready, answers and drains in a restricted pod",
        why: "Clusters enforce the Pod Security Standard restricted.",
        how: "As serve.ready, serve.answers and serve.drain, in a restricted pod.",
        mend: "write only to /tmp and the volumes",
        run: serve::restricted,
    },
    Check {
        id: "restricted.stop",
        level: Level::Must,
        profile: Profile::Restricted,
        needs: &[Need::Engine],
        passes: "the program ends in time after SIGTERM in a restricted pod",
        why: "A program that ignores SIGTERM is killed at every deployment.",
        how: "SIGTERM is sent to the server, or to the training if the image does not serve. It has 30 s, the default grace period of a pod.",
        mend: "handle SIGTERM",
        run: restricted_stop,
    },
    Check {
        id: "restricted.beside",
        level: Level::Must,
        profile: Profile::Restricted,
        needs: &[Need::Engine, Need::Runtime],
        passes: "inspect, exec and metrics work in the container of a restricted pod",
        why: "People debug running containers with these commands, also in restricted pods.",
        how: "As view.same-beside, in a restricted pod.",
        mend: "do not change LYFTLEARN_RUN_DIR or the use of /tmp",
        run: restricted_beside,
    },
];

fn restricted_stop(subject: &Subject) -> Result<Vec<Seen>> {
    if subject.toml.serve.is_some() && subject.roles.contains(&Word::Serve) {
        serve::restricted_stop(subject)
    } else if subject.toml.train.is_some() && subject.roles.contains(&Word::Train) {
        train::restricted_stop(subject)
    } else {
        Ok(vec![Seen::skipped(
            "image.toml has no [serve] or [train] section for the roles of the image",
        )])
    }
}

fn restricted_beside(subject: &Subject) -> Result<Vec<Seen>> {
    match subject.roles.last() {
        Some(word) => start::beside(subject, Place::KubernetesRestricted, *word),
        None => Ok(vec![Seen::skipped("the image claims no role")]),
    }
}
