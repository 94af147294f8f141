"""The same objects, whether `run` started the process, `exec` did, or nothing did.

Each process gets mount and PID namespaces of its own: the shim is PID 1 there, and
what it makes below /run and /opt is gone with it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import pytest
from conftest import BINARY, HYPERPARAMETERS, write_files

ENTER = """
set -eu
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/upper /run/work /run/tmp
cp -R "$1/." /run/upper
shift
mount -t overlay -o lowerdir=/opt,upperdir=/run/upper,workdir=/run/work overlay /opt
exec "$@"
"""

PROBE = """
import json
import lyftlearn_runtime as rt
from lyftlearn_runtime import _native

print(json.dumps({
    "workload": _native.current().to_dict(),
    "hyperparameters": dict(rt.hyperparameters),
    "texts": [rt.platform, rt.flavor, rt.role],
    "shown": [repr(part) for part in (rt.job, rt.topology, rt.resources, rt.channels)],
}))
"""

DOORS: Mapping[str, list[str]] = {
    "run": [str(BINARY), "run", "--"],
    "exec": [str(BINARY), "exec", "--"],
    "run, switched off": ["env", "LYFTLEARN_RUNTIME=off", str(BINARY), "run", "--"],
    "nothing": [],
}
DELIVERING = {"run", "exec"}

CONFIG = "ml/input/config"
WORLDS: Mapping[str, tuple[Mapping[str, object], Mapping[str, str]]] = {
    "sagemaker": (
        {
            f"{CONFIG}/resourceconfig.json": {
                "current_host": "algo-2",
                "hosts": ["algo-1", "algo-2"],
            },
            f"{CONFIG}/hyperparameters.json": HYPERPARAMETERS,
            f"{CONFIG}/inputdataconfig.json": {
                "train": {"TrainingInputMode": "File", "ContentType": "text/csv"}
            },
            "ml/input/data/train": None,
        },
        {
            "TRAINING_JOB_NAME": "ranking-7",
            "TRAINING_JOB_ARN": "arn:aws:sagemaker:us-east-1:1:training-job/ranking-7",
        },
    ),
    "kubernetes": (
        {f"{CONFIG}/hyperparameters.json": HYPERPARAMETERS, "ml/input/data/train": None},
        {
            "KUBERNETES_SERVICE_HOST": "10.0.0.1",
            "PET_NNODES": "2",
            "PET_NODE_RANK": "1",
            "PET_MASTER_ADDR": "ranking-0.ranking",
        },
    ),
    "local": ({"ml/input/data/train": None, "ml/model": None}, {}),
}

Enter = Callable[..., str]


@pytest.fixture
def enter(tmp_path: Path) -> Enter:
    """Runs a command over an /opt of its own, and returns its output."""

    def run(
        command: list[str], files: Mapping[str, object], environ: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        tree = write_files(tmp_path / "opt", {"ml": None, **files})
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        return subprocess.run(
            [*unshare, "sh", "-c", ENTER, "sh", str(tree), *command],
            env={**kept, "TMPDIR": "/run/tmp", "HOME": "/nonexistent", **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    possible = run(["true"], {}, {})
    if possible.returncode != 0:
        reason = f"cannot enter namespaces: {possible.stderr}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    def entered(*arguments: Any) -> str:
        result = run(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return entered


@pytest.mark.parametrize("platform", WORLDS)
def test_the_same_objects_come_out_of_every_door(enter: Enter, platform: str) -> None:
    files, environ = WORLDS[platform]
    # The other node does not exist.
    alone = {"LYFTLEARN_RUNTIME_TOPOLOGY_WAIT_SECONDS": "0"}
    environ = {"LYFTLEARN_RUNTIME_PLATFORM": platform, **alone, **environ}
    seen = {}
    for door, command in DOORS.items():
        view = json.loads(enter([*command, sys.executable, "-c", PROBE], files, environ))
        # Where the runtime keeps its own files is the one thing that may differ.
        place = view["workload"]["hyperparameters"].pop("path")
        assert (place is not None) == (door in DELIVERING), place
        view["workload"]["paths"].pop("run")
        seen[door] = view
    assert seen["nothing"]["workload"]["platform"] == platform
    assert seen["nothing"]["workload"]["channels"].keys() == {"train"}
    assert seen["nothing"]["hyperparameters"] == files.get(f"{CONFIG}/hyperparameters.json", {})
    for door in DOORS:
        assert seen[door] == seen["nothing"], door
