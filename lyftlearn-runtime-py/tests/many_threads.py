"""Run on its own: many threads count at once, and none of it is lost."""

import sys
import sysconfig
import threading

sys.setswitchinterval(1e-6)

import lyftlearn_runtime as rt  # noqa: E402

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    # An extension that does not say it can do without switches the GIL on for everybody.
    is_gil_enabled = getattr(sys, "_is_gil_enabled")  # noqa: B009
    assert not is_gil_enabled(), "the import switched the GIL on"

THREADS, ROUNDS = 16, 200
views: list[tuple[int, int, int]] = []
faults: list[str] = []
start = threading.Barrier(THREADS)
shared = rt.metrics.counter("shared")
timer = rt.metrics.timer("timed")
inside = rt.metrics.gauge("inside")


def work() -> None:
    try:
        start.wait(120)
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


threads = [threading.Thread(target=work) for _ in range(THREADS)]
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
for name in ("seen", "timed"):
    buckets = found[name,]
    assert not isinstance(buckets, float)
    assert buckets.count == THREADS * ROUNDS
assert found["inside",] == 0
print("counted")
