"""What a program says of how far it is, for the runtime to send."""

import json
import os
import subprocess
import sys
from pathlib import Path

import lyftlearn_runtime as rt
import pytest


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LYFTLEARN_RUN_DIR", str(tmp_path))
    return tmp_path


def said(run_dir: Path) -> object:
    return json.loads((run_dir / "progress.json").read_text())


def test_the_latest_counts_and_nothing_else_is_left(run_dir: Path) -> None:
    rt.progress(0.1, "epoch 1 of 10")
    rt.progress(0.2, message="epoch 2 of 10 \U0001f525")
    assert said(run_dir) == {"fraction": 0.2, "message": "epoch 2 of 10 \U0001f525"}
    assert [path.name for path in run_dir.iterdir()] == ["progress.json"]
    rt.progress(1)
    assert said(run_dir) == {"fraction": 1.0, "message": ""}


def test_a_fraction_is_within_its_bounds(run_dir: Path) -> None:
    rt.progress(1.0000001)
    assert said(run_dir) == {"fraction": 1.0, "message": ""}
    rt.progress(-3)
    assert said(run_dir) == {"fraction": 0.0, "message": ""}
    rt.progress(float("nan"), "of nothing")
    assert said(run_dir) == {"fraction": 0.0, "message": ""}


def test_what_is_no_number_is_a_type_error(run_dir: Path) -> None:
    with pytest.raises(TypeError):
        rt.progress("half")  # type: ignore[arg-type] # what this is about
    assert not (run_dir / "progress.json").exists()


def test_a_directory_that_cannot_be_written_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYFTLEARN_RUN_DIR", str(tmp_path / "gone"))
    rt.progress(0.5, "half")


def test_without_a_runtime_nothing_happens(tmp_path: Path) -> None:
    code = "import lyftlearn_runtime as rt; rt.progress(0.5, 'half')"
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**kept, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_processes_that_were_forked_may_all_say_it(run_dir: Path) -> None:
    children = []
    for number in range(8):
        child = os.fork()
        if child == 0:
            for step in range(50):
                rt.progress(step / 50, f"process {number}")
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert [path.name for path in run_dir.iterdir()] == ["progress.json"]
    whole = said(run_dir)
    assert isinstance(whole, dict)
    assert whole["message"].startswith("process ")
