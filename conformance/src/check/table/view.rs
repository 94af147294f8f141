//! Checks that a program finds the same environment on both platforms.

use crate::check::view;
use crate::check::{Check, Level, Need, Profile};

/// In the order in which they are reported.
pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "view.same-job",
        level: Level::Must,
        profile: Profile::Training,
        needs: &[Need::Engine, Need::Runtime, Need::Training],
        passes: "a program finds the same environment in a training job and in an Indexed Job",
        why: "Code runs on both platforms only if it finds the same environment on both.",
        how: "The probe records variables, directories, ids, limits, the workload and the hyperparameters in both places. Only values that name the place may differ.",
        mend: "remove variables and settings that the image or a deployment sets on one platform alone",
        run: view::job,
    },
    Check {
        id: "view.same-server",
        level: Level::Must,
        profile: Profile::Serving,
        needs: &[Need::Engine, Need::Runtime, Need::Serving],
        passes: "a program finds the same environment in an endpoint and in a pod",
        why: "Code runs on both platforms only if it finds the same environment on both.",
        how: "The probe records the program's environment in both places. Only values that name the place may differ.",
        mend: "remove variables and settings that the image or a deployment sets on one platform alone",
        run: view::server,
    },
    Check {
        id: "view.same-python",
        level: Level::Must,
        profile: Profile::Base,
        needs: &[Need::Engine, Need::Runtime],
        passes: "the Python package and workload.json have the same values",
        why: "A program may read either.",
        how: "In each place, the checker compares the attributes of lyftlearn_runtime in the image's python3 with the delivered file.",
        mend: "install the Python package from the same release as the binary",
        run: view::python,
    },
    Check {
        id: "view.same-beside",
        level: Level::Must,
        profile: Profile::Base,
        needs: &[Need::Engine, Need::Runtime],
        passes: "inspect, exec and metrics in the same container show what the program got",
        why: "People debug a running container with these commands.",
        how: "While the probe runs, the checker runs the tools in its container as the program's user. It compares their output with the program's own environment.",
        mend: "do not change LYFTLEARN_RUN_DIR or the run directory",
        run: view::beside,
    },
    Check {
        id: "view.skew",
        level: Level::Should,
        profile: Profile::Serving,
        needs: &[
            Need::Engine,
            Need::Runtime,
            Need::Training,
            Need::Serving,
            Need::TrainSection,
        ],
        passes: "a model is served in the environment that trained it",
        why: "A different package or locale changes the answers without any error.",
        how: "The server is started with the model from train.completes. The runtime compares the model's snapshot with the environment, and the checker reads the result from outcome.json.",
        mend: "serve with the image that trains; list allowed differences in /etc/lyftlearn/declared-differences",
        run: view::skew,
    },
];
