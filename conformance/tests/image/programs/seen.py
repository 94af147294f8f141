"""Tells what a program finds: its variables, its hyperparameters, which directories it can use."""

import json
import os
import tempfile
from pathlib import Path

import lyftlearn_runtime as rt


def usable(directory: str) -> str:
    try:
        with tempfile.TemporaryFile(dir=directory):
            return "written"
    except OSError:
        return "listed" if os.access(directory, os.R_OK | os.X_OK) else "absent"


document = os.environ.get("LYFTLEARN_HYPERPARAMETERS_FILE")
seen = {
    "user": [os.getuid(), os.getgid()],
    "variables": dict(os.environ),
    "hyperparameters": document and Path(document).read_text(encoding="utf-8"),
    "by the package": dict(rt.hyperparameters),
    "directories": {
        name: usable(value)
        for name, value in os.environ.items()
        if name.startswith("LYFTLEARN_") and name.endswith("_DIR")
    },
    "channels": {name: sorted(os.listdir(one.path)) for name, one in rt.channels.items()},
}
# Into a file: the engine's log is no place for what a program holds.
with open("/seen/seen.json", "w", encoding="utf-8") as file:
    json.dump(seen, file)
