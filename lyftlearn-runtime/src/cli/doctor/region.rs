//! What all processes of the container count in: it is there, this user may count in it, and it
//! has room.

use super::{Finding, Patient, Verdict};
use crate::contract::delivered;
use crate::facts::{Facts, Whose};
use crate::held::Directory;
use crate::metrics::region::{Degraded, Reader, Region, Usage};

/// Fuller than this, the next labels may not find room.
const FULL_PERCENT: u64 = 80;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    if patient.resolved.settings.region_bytes == 0 {
        let detail = "disabled: metrics.region_bytes is 0";
        return vec![Finding::new("region", Verdict::Skipped, detail)];
    }
    let Some(run) = patient.facts.run_directory(Whose::Anybody) else {
        let detail = "lyftlearn-runtime run started nothing here";
        return vec![Finding::new("region", Verdict::Skipped, detail)];
    };
    vec![looked_at(&run)]
}

fn looked_at(run: &Directory) -> Finding {
    let facts = Facts::empty()
        .with_root("/")
        .with_var(delivered::RUN_DIR, run.path());
    let failed = |detail: String| Finding::new("region", Verdict::Failed, detail);
    // As a program of this user would open it: to count in it.
    match Region::of(&facts).degraded() {
        None => {}
        Some(Degraded::Denied(path)) => {
            return failed(format!("this user cannot open {}", path.display()))
                .fix("run doctor as the program's user (the setting user) or as root");
        }
        Some(Degraded::Broken(path)) => {
            let path = path.display();
            return failed(format!("{path} is not a region of this version and boot, or is truncated"))
                .fix("install one version of lyftlearn-runtime as binary and package, and let nothing else write to this file");
        }
        Some(_) => {
            return failed(format!("there is no {} in {}", delivered::METRICS_REGION, run.path().display()))
                .fix("free space in the run directory or in /dev/shm, or lower metrics.region_bytes; 0 disables it");
        }
    }
    let usage = Reader::of(run).and_then(|reader| reader.map(|reader| reader.usage()).transpose());
    match usage {
        Ok(Some(usage)) => told(&usage),
        Ok(None) => failed("it was removed meanwhile".to_owned()),
        Err(err) => failed(err.to_string()),
    }
}

fn told(usage: &Usage) -> Finding {
    let Usage {
        bytes,
        series,
        places,
        percent,
        dropped,
    } = *usage;
    let detail = format!("{bytes} bytes, {series} series, {percent} % full");
    let more = "raise metrics.region_bytes, or count with fewer labels";
    let finding = if dropped > 0 {
        let often = match dropped {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        let detail = format!("{detail}; there was no room for a series {often}");
        Finding::new("region", Verdict::Failed, detail).fix(more)
    } else if percent >= FULL_PERCENT {
        Finding::new("region", Verdict::Note, detail).fix(more)
    } else {
        Finding::new("region", Verdict::Ok, detail)
    };
    finding.figures([
        ("bytes", bytes),
        ("series", series),
        ("places", places),
        ("percent", percent),
        ("dropped", dropped),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::line;
    use crate::metrics::region::{Place, create};

    #[track_caller]
    fn check(percent: u64, dropped: u64, expected: &str) {
        let usage = Usage {
            bytes: 65_536,
            series: 12,
            places: 127,
            percent,
            dropped,
        };
        let finding = told(&usage);
        assert_eq!(line(&finding), expected);
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!(json["figures"]["series"], 12);
        assert_eq!(json["figures"]["dropped"], dropped);
    }

    #[test]
    fn a_region_has_room_or_there_is_something_to_do() {
        let what = "65536 bytes, 12 series";
        let fix = "      fix: raise metrics.region_bytes, or count with fewer labels\n";
        check(9, 0, &format!("ok    region     {what}, 9 % full\n"));
        check(80, 0, &format!("note  region     {what}, 80 % full\n{fix}"));
        check(
            99,
            1,
            &format!(
                "FAIL  region     {what}, 99 % full; there was no room for a series once\n{fix}"
            ),
        );
        check(
            99,
            7,
            &format!(
                "FAIL  region     {what}, 99 % full; there was no room for a series 7 times\n{fix}"
            ),
        );
    }

    #[test]
    fn what_is_no_region_is_said() {
        let run = tempfile::tempdir().unwrap();
        let path = run.path().display();
        let held = Directory::open(run.path(), None).unwrap();
        assert_eq!(
            line(&looked_at(&held)),
            format!(
                "FAIL  region     there is no metrics.region in {path}\n      fix: free space in the run directory or in /dev/shm, or lower metrics.region_bytes; 0 disables it\n"
            )
        );
        let region = run.path().join("metrics.region");
        std::fs::write(&region, [1; 4_096]).unwrap();
        assert_eq!(
            line(&looked_at(&held)),
            format!(
                "FAIL  region     {path}/metrics.region is not a region of this version and boot, or is truncated\n      fix: install one version of lyftlearn-runtime as binary and package, and let nothing else write to this file\n"
            )
        );
        // Tests run as root: a directory takes the place of a file that cannot be opened.
        std::fs::remove_file(&region).unwrap();
        std::fs::create_dir(&region).unwrap();
        assert_eq!(
            line(&looked_at(&held)),
            format!(
                "FAIL  region     this user cannot open {path}/metrics.region\n      fix: run doctor as the program's user (the setting user) or as root\n"
            )
        );
        std::fs::remove_dir(&region).unwrap();
        let mut place = create(run.path(), 65_536).unwrap();
        place.as_mut().map_or(Ok(()), Place::publish).unwrap();
        assert_eq!(
            line(&looked_at(&held)),
            "ok    region     65536 bytes, 0 series, 0 % full\n"
        );
    }
}
