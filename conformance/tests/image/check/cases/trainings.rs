//! Trainings that fail in one way; `platform.rs` has those that leave something to the next job.

use super::{Case, GOOD, check};
use crate::check::at_length;

pub(super) const TRAININGS: &[Case] = &[Case {
    name: "fails",
    hyperparameters: "code = \"4\"",
    only: &["train.*"],
    fails: &["train.completes"],
    said: "exit code 4",
    ..GOOD
}];

pub(super) const MORE_TRAININGS: &[Case] = &[
    Case {
        name: "hides",
        train: "hides",
        only: &["train.completes", "train.failure", "train.dirty"],
        fails: &["train.failure"],
        said: "the training that should fail exited with 0",
        ..GOOD
    },
    // It is given the two minutes that the platform gives.
    Case {
        name: "deaf",
        train: "deaf",
        hyperparameters: "seconds = \"300\"",
        only: &["train.stop"],
        fails: &["train.stop"],
        said: "was killed",
        ..GOOD
    },
    Case {
        name: "resumes",
        train: "checkpoints",
        // Long enough to be stopped in the middle.
        hyperparameters: "seconds = \"6\"",
        only: &["train.completes", "train.resume"],
        passes: &["train.resume"],
        ..GOOD
    },
    Case {
        name: "caches",
        train: "cache",
        only: &["train.completes", "warm.*"],
        passes: &["warm.second", "warm.cache-secrets", "warm.cache-used"],
        ..GOOD
    },
];

#[test]
fn a_training_that_fails_in_one_way_fails_one_check() {
    TRAININGS.iter().for_each(check);
    if at_length() {
        MORE_TRAININGS.iter().for_each(check);
    }
}
