"""Many threads at once, as without the GIL: the module says that it does not need it."""

import subprocess
import sys
from pathlib import Path

import pytest
import regions

PROGRAM = Path(__file__).with_name("many_threads.py")


@pytest.mark.parametrize("turn", range(3))
def test_threads_see_one_view_and_lose_no_count(tmp_path: Path, turn: int) -> None:
    del turn
    regions.make(tmp_path)
    environ = {"LYFTLEARN_RUN_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "counted\n"
