"""Many threads at once, as without the GIL: the module says that it does not need it."""

import subprocess
import sys
from pathlib import Path

import pytest
import regions

PROGRAM = """
import sys, sysconfig, threading
sys.setswitchinterval(1e-6)
import lyftlearn_runtime as rt

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    # An extension that does not say it can do without switches the GIL on for everybody.
    assert not sys._is_gil_enabled(), "the import switched the GIL on"

THREADS, ROUNDS = 16, 200
views, faults = [], []
start = threading.Barrier(THREADS)
shared = rt.metrics.counter("shared")
timer = rt.metrics.timer("timed")
inside = rt.metrics.gauge("inside")


def work(number):
    try:
        start.wait(60)
        views.append((id(rt.job), id(rt.hyperparameters), rt.hyperparameters.int("epochs", 7)))
        for turn in range(ROUNDS):
            shared.inc()
            # The same series, made by all of them at once.
            rt.metrics.counter("made", {"turn": str(turn)}).inc(2)
            rt.metrics.histogram("seen").observe(turn)
            with timer, inside.track_inprogress():
                pass
            assert rt.shutdown.requested is False
    except BaseException as fault:
        faults.append(repr(fault))


threads = [threading.Thread(target=work, args=[number]) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(120)
assert not faults, faults
assert len(views) == THREADS and len(set(views)) == 1, views
found = {(s.name, *s.labels.values()): s.value for s in rt.metrics.snapshot()}
assert found["shared",] == THREADS * ROUNDS, found["shared",]
for turn in range(ROUNDS):
    assert found["made", str(turn)] == 2 * THREADS
assert found["seen",].count == THREADS * ROUNDS
assert found["timed",].count == THREADS * ROUNDS
assert found["inside",] == 0
print("counted")
"""


@pytest.mark.parametrize("turn", range(3))
def test_threads_see_one_view_and_lose_no_count(tmp_path: Path, turn: int) -> None:
    del turn
    regions.make(tmp_path)
    environ = {"LYFTLEARN_RUN_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "counted\n"
