"""Say as whom this runs and what that one can do; end with 3 once told to."""

import json
import os
import sys
import time
from pathlib import Path

import lyftlearn_runtime as rt

CONFIG = "/opt/ml/input/config/hyperparameters.json"


def readable(path: str) -> bool:
    try:
        Path(path).read_bytes()
    except PermissionError:
        return False
    return True


def written(path: Path) -> bool:
    (path / "mine").write_text("mine", encoding="utf-8")
    return True


def main() -> None:
    run = Path(os.environ["LYFTLEARN_RUN_DIR"])
    seen = {
        "user": [*os.getresuid(), *os.getresgid()],
        "groups": sorted(os.getgroups()),
        "home": os.environ["HOME"],
        "config": readable(CONFIG),
        "hyperparameters": json.loads((run / "hyperparameters.json").read_bytes()),
        "read by the package": rt.hyperparameters.int("epochs"),
        "platform": json.loads((run / "workload.json").read_bytes())["platform"],
        "run": [oct(run.stat().st_mode & 0o7777), run.stat().st_uid, run.stat().st_gid],
        "files": sorted({oct(path.stat().st_mode & 0o077) for path in run.iterdir()}),
        "writes": [
            written(Path(os.environ[name]))
            for name in ("LYFTLEARN_MODEL_DIR", "LYFTLEARN_CHECKPOINT_DIR")
        ],
    }
    print(f"account {json.dumps(seen)}", flush=True)
    while not (Path(os.environ["LYFTLEARN_CHECKPOINT_DIR"]) / "enough").exists():
        time.sleep(0.05)
    sys.exit(3)


if __name__ == "__main__":
    main()
