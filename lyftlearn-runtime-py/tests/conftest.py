"""A small world for each test: files below a directory, and the view of them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

import lyftlearn_runtime as rt
import pytest

BINARY = Path(
    os.environ.get(
        "LYFTLEARN_CONFORMANCE_BINARY",
        Path(__file__).parents[2] / "target/debug/lyftlearn-runtime",
    )
)

# The tests' own environment, independent of the caller's.
for name in [name for name in os.environ if name.startswith("LYFTLEARN_")]:
    del os.environ[name]

HYPERPARAMETERS = {
    "amp": "True",
    "epochs": "10",
    "layers": "[32, 64]",
    "lr": "1e-3",
    "note": "canary-note",
    "zip": "02139",
}

Write = Callable[[Mapping[str, object]], Path]


def write_files(root: Path, files: Mapping[str, object]) -> Path:
    """Text as it is, None as a directory, anything else as JSON."""
    for name, content in files.items():
        path = root / name
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda files: write_files(tmp_path / "root", files)


@pytest.fixture
def hyperparameters(write: Write) -> rt.Hyperparameters:
    root = write({"opt/ml/input/config/hyperparameters.json": HYPERPARAMETERS})
    environ = {"LYFTLEARN_RUNTIME_PLATFORM": "sagemaker"}
    return rt.resolve(root=root, environ=environ).hyperparameters
