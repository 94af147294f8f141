"""Metrics: what is counted stays counted, whatever becomes of the process."""

import asyncio
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lyftlearn_runtime as rt
import pytest
import regions
from lyftlearn_runtime._metrics import Metrics

COUNT = 5_000


def run(
    directory: Path, program: str, environ: Mapping[str, str] = {}, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """A program of its own, in a container's region."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    script = directory / "program.py"
    script.write_text("import os, signal, sys\nimport lyftlearn_runtime as rt\n" + program)
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env={**kept, "LYFTLEARN_RUN_DIR": str(directory), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    return ended


def values(directory: Path) -> dict[str, Any]:
    """What a reader finds afterwards, by name and labels' values."""
    program = (
        "for s in rt.metrics.snapshot():\n"
        "    value = s.value if s.kind != 'histogram' else s.value.count\n"
        "    print(repr((' '.join([s.name, *s.labels.values()]), value)))\n"
    )
    lines = run(directory, program).stdout.splitlines()
    return dict(eval(line) for line in lines)


@pytest.fixture
def region(tmp_path: Path) -> Path:
    regions.make(tmp_path)
    return tmp_path


ENDINGS = {
    "normal": ("", 0),
    "exit": ("os._exit(3)", 3),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -15),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -9),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_ending_loses_a_count(region: Path, ending: str) -> None:
    program = (
        "c, h = rt.metrics.counter('c'), rt.metrics.histogram('h')\n"
        f"for _ in range({COUNT}): c.inc(); h.observe(1.5)\n"
    )
    end, code = ENDINGS[ending]
    run(region, program + end, code=code)
    assert values(region) == {"c": COUNT, "h": COUNT}


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_ending_of_a_forked_child_loses_a_count(region: Path, ending: str) -> None:
    program = f"""
c = rt.metrics.counter("c")
c.inc()
child = os.fork()
if child == 0:
    for _ in range({COUNT}): c.inc(); rt.metrics.counter("new").inc()
    {ENDINGS[ending][0] or "sys.exit()"}
os.waitpid(child, 0)
c.inc()
"""
    run(region, program)
    assert values(region) == {"c": COUNT + 2, "new": COUNT}


def test_a_process_killed_at_any_moment_loses_nothing_that_it_told_of(region: Path) -> None:
    program = """
import random, time
draw = random.Random(1)
kills, told = 2000, 0
before = rt.metrics.counter("all")
for n in range(kills):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        for i in range(100_000):
            rt.metrics.counter("own", {"n": str((n * 7 + i) % 1500)}).inc()
            before.inc()
            os.write(write, b"x")
        os._exit(0)
    os.close(write)
    # Until it has begun, and then at some moment.
    if n % 2: os.read(read, 1); told += 1
    until = time.perf_counter() + draw.random() * 0.0005
    while time.perf_counter() < until: pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while chunk := os.read(read, 65536): told += len(chunk)
    os.close(read)
series = rt.metrics.snapshot()
own = sum(s.value for s in series if s.name == "own")
all = sum(s.value for s in series if s.name == "all")
assert len({(s.name, *s.labels.values()) for s in series}) == len(series)
# Of each child the one may be counted that it was killed before it could tell of.
assert told <= all <= own <= told + kills, (told, all, own)
assert rt.metrics.dropped == 0 and told > kills
"""
    run(region, program)


def test_every_way_to_start_a_process_counts_in_one_place(region: Path) -> None:
    # A child of each kind, a grandchild by exec, and forks while other threads count.
    program = f"""
import multiprocessing, subprocess, threading, warnings

def work(name):
    c, h = rt.metrics.counter("c"), rt.metrics.histogram("h")
    for _ in range({COUNT}): c.inc(); h.observe(0.25)
    rt.metrics.gauge("ends", aggregate="sum").set(1)

if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    work("main")
    processes = [
        multiprocessing.get_context(method).Process(target=work, args=(method,))
        for method in ("fork", "spawn", "forkserver") for _ in range(2)
    ]
    def fork():
        child = os.fork()
        if child == 0:
            work("thread")
            os._exit(0)
        os.waitpid(child, 0)
    threads = [threading.Thread(target=fork) for _ in range(3)]
    for each in processes + threads: each.start()
    work("main")
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    grandchild = "import lyftlearn_runtime as rt; rt.metrics.counter('c').inc({COUNT})"
    subprocess.run([sys.executable, "-c", code, grandchild], check=True, start_new_session=True)
    for each in processes + threads: each.join()
    assert all(process.exitcode == 0 for process in processes)
    found = {{s.name: s.value for s in rt.metrics.snapshot()}}
    assert found["c"] == {COUNT} * 12, found["c"]
    assert found["h"].count == {COUNT} * 11 and found["h"].sum == {COUNT} * 11 / 4
    # Dead processes no longer count, and later ones have taken their cells.
    assert found["ends"] == 1, found["ends"]
"""
    run(region, program)


def test_gunicorns_workers_count_what_was_loaded_before_they_were_forked(region: Path) -> None:
    (region / "app.py").write_text(
        "import os, lyftlearn_runtime as rt\n"
        "requests = rt.metrics.counter('requests', ['path'])\n"
        "alive = rt.metrics.gauge('alive', aggregate='sum')\n"
        "alive.set(1)\n"
        "def app(environ, start_response):\n"
        "    alive.set(1)\n"
        "    requests.labels(path=environ['PATH_INFO']).inc()\n"
        "    start_response('200 OK', [])\n"
        "    return [str(os.getpid()).encode()]\n"
    )
    program = """
import http.client, socket, subprocess, time

def get(path):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect("socket")
    connection.request("GET", path, headers={"Connection": "close"})
    body = connection.getresponse().read()
    connection.close()
    return body

os.chdir(os.environ["LYFTLEARN_RUN_DIR"])
server = subprocess.Popen(
    [sys.executable, "-m", "gunicorn", "--preload", "--workers", "3", "--bind", "unix:socket",
     "--log-level", "critical", "app:app"])
try:
    deadline = time.monotonic() + 120
    while True:
        try:
            get("/ready")
            break
        except (FileNotFoundError, ConnectionRefusedError):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    served = {get("/") for _ in range(300)}
    found = {s.name + s.labels.get("path", ""): s.value for s in rt.metrics.snapshot()}
    assert found["requests/"] == 300 and found["requests/ready"] == 1, found
    # The master loaded it, and each worker that has answered has set its own.
    assert len(served) < found["alive"] + 1 <= 5, (found, served)
finally:
    server.terminate()
    server.wait(120)
"""
    run(region, program)
    assert values(region)["requests /"] == 300


def test_a_dead_process_s_gauge_stays_until_another_takes_its_place(region: Path) -> None:
    program = "rt.metrics.gauge('loss').set({0}); rt.metrics.gauge('n', aggregate='sum').set({0})"
    for value in range(50):
        run(region, program.format(value)) if value < 3 else None
    assert values(region) == {"loss": 2.0}
    forks = """
for n in range(300):
    child = os.fork()
    if child == 0:
        rt.metrics.gauge("loss").inc(n)
        os._exit(0)
    os.waitpid(child, 0)
(loss,) = rt.metrics.snapshot()
# Each began at 0, not where the one before it had ended.
assert loss.value == 299, loss
"""
    before = used(region)
    run(region, forks)
    assert used(region) == before


def used(directory: Path) -> bytes:
    """How much of keys and cells is taken, by the header's counts."""
    with open(directory / "metrics.region", "rb") as file:
        return file.read(512)[128:200]


def test_labels_are_given_or_declared(region: Path) -> None:
    program = """
m = rt.metrics
assert m.counter("rows", {"a": "1", "b": "2"}) is m.counter("rows", labels={"a": "1", "b": "2"})
m.counter("rows", {"b": "2", "a": "1"}).inc(2)
family = m.counter("rows", labels=["a", "b"])
assert family is m.counter("rows", labels=["a", "b"]) and repr(family) == "<rows by a, b>"
assert family.labels("1", "2") is family.labels("1", "2")
family.labels(b="2", a="1").inc(0.5)
family.labels("1", b="2").inc()
h = m.histogram("sizes", unit="bytes", help="Of what was read.")
for value in (0, -1, 1, 3.0, float("nan")): h.observe(value)
rows, sizes = m.snapshot()
assert (rows.name, rows.kind, rows.value) == ("rows", "counter", 3.5)
assert rows.labels == {"a": "1", "b": "2"}
assert (sizes.unit, sizes.help, rows.unit, rows.help) == ("bytes", "Of what was read.", "", "")
v = sizes.value
assert (v.count, v.zero, v.negative, v.sum, v.positive) == (4, 1, 1, 3.0, {-1: 1, 12: 1}), repr(v)
assert repr(rows) == 'Series("rows", ' + repr(rows.labels) + ', 3.5)'
assert m.degraded is None and m.dropped == 0
assert len(os.listdir("/proc/self/task")) == 1
"""
    run(region, program)


# In this process, without a region of the container.


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(name: str) -> Any:
    (found,) = [series.value for series in rt.metrics.snapshot() if series.name == name]
    return found


def test_without_a_region_the_same_works_and_is_said(metrics: Metrics) -> None:
    assert metrics.degraded == "lyftlearn-runtime run did not start this process"
    metrics.counter("alone").inc()
    assert value("alone") == 1
    child = os.fork()
    if child == 0:
        metrics.counter("alone").inc()
        os._exit(0)
    os.waitpid(child, 0)
    assert value("alone") == 2


def test_a_region_that_cannot_be_used_is_warned_of_once(tmp_path: Path) -> None:
    (tmp_path / "metrics.region").write_bytes(bytes(1 << 16))
    program = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    rt.metrics.counter("a").inc()
    rt.metrics.gauge("b").set(1)
(warning,) = caught
assert warning.category is RuntimeWarning and warning.filename == __file__, warning
assert str(warning.message) == "metrics stay in this process: " + rt.metrics.degraded
assert rt.metrics.degraded.endswith("metrics.region is not a region of this version and boot")
assert len(rt.metrics.snapshot()) == 2
"""
    run(tmp_path, program)


def test_another_user_counts_for_itself(region: Path) -> None:
    if os.geteuid() != 0:
        assert "CI" not in os.environ, "skipped in CI: only root can be somebody else"
        pytest.skip("only root can be somebody else")
    program = """
import warnings
rt.metrics
os.setuid(65534)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    rt.metrics.counter("a").inc()
assert len(caught) == 1 and "this user cannot open " in rt.metrics.degraded, caught
assert [s.value for s in rt.metrics.snapshot()] == [1]
"""
    os.chmod(region, 0o755)
    run(region, program)
    assert values(region) == {}


def test_what_there_is_no_room_for_is_counted_and_fails_nobody(tmp_path: Path) -> None:
    regions.make(tmp_path, 1 << 16)
    program = """
for n in range(500): rt.metrics.counter(f"c{n}").inc()
rt.metrics.histogram("late").observe(1)
rt.metrics.gauge("late_too").set(1)
assert 80 < len(rt.metrics.snapshot()) < 130
assert rt.metrics.dropped == 502 - len(rt.metrics.snapshot())
"""
    run(tmp_path, program)


def test_timers_and_counters_of_exceptions_surround_blocks_and_functions(metrics: Metrics) -> None:
    timer = metrics.timer("spans", help="How long.")
    failures = metrics.counter("failures")
    keys = failures.count_exceptions(KeyError, OSError)
    running = metrics.gauge("running", aggregate="sum")

    @timer
    @failures.count_exceptions()
    @running.track_inprogress()
    def divide(a: int, b: int = 1) -> float:
        """Divides."""
        assert value("running") == 1
        return a / b

    assert divide(4, b=2) == 2
    assert (divide.__name__, divide.__doc__) == ("divide", "Divides.")
    with pytest.raises(ZeroDivisionError), timer, timer:
        divide(1, 0)
    assert value("spans").count == 4
    assert (value("failures"), value("running")) == (1, 0)
    for error in (FileNotFoundError, ValueError, KeyboardInterrupt):
        with pytest.raises(error), keys:
            raise error
    assert value("failures") == 2
    with metrics.histogram("spans").time(), running.track_inprogress():
        pass
    assert value("spans").count == 5
    assert 0 < value("spans").sum < 1
    (unit,) = {series.unit for series in metrics.snapshot() if series.name == "spans"}
    assert unit == "seconds"
    with pytest.raises(TypeError):
        failures.count_exceptions("KeyError")  # type: ignore[arg-type] # what is tested


def test_a_coroutine_function_is_timed_to_its_end(metrics: Metrics) -> None:
    errors = metrics.counter("async_errors")

    @metrics.timer("async_spans")
    @errors.count_exceptions()
    async def wait(seconds: float) -> float:
        await asyncio.sleep(seconds)
        if not seconds:
            raise LookupError
        return seconds

    async def main() -> list[Any]:
        waits = [wait(0.05), wait(0.01), wait(0)]
        return await asyncio.gather(*waits, return_exceptions=True)

    assert asyncio.run(main())[:2] == [0.05, 0.01]
    spans = value("async_spans")
    assert spans.count == 3 and 0.06 <= spans.sum < 1
    assert max(spans.positive) > min(spans.positive)
    assert value("async_errors") == 1


def test_threads_share_a_timer_each_with_its_own_beginning(metrics: Metrics) -> None:
    timer = metrics.timer("shared")
    entered, leave = threading.Event(), threading.Event()

    def long() -> None:
        with timer:
            entered.set()
            leave.wait(120)

    thread = threading.Thread(target=long)
    thread.start()
    entered.wait(120)
    with timer:
        pass
    assert value("shared").count == 1
    leave.set()
    thread.join()
    assert value("shared").count == 2


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda m: m.counter("a-b"), 'metric "a-b": not a valid name'),
        (lambda m: m.counter("rows", {"a b": "canary"}), '"a b" is not a label\'s name'),
        (lambda m: m.counter("rows", ["__a"]), 'metric "rows": "__a" is not a label\'s name'),
        (lambda m: m.counter("rows", ["a", "a"]), 'metric "rows": duplicate label "a"'),
        (
            lambda m: m.counter("rows", ["a"]).labels("b", "c"),
            "metric \"rows\": its labels are ['a']",
        ),
        (lambda m: m.counter("rows", ["a"]).labels(b="c"), "metric \"rows\": its labels are ['a']"),
        (lambda m: m.counter("rows", ["a"]).labels("x", a="c"), "its labels are ['a']"),
        (lambda m: m.counter("rows", ["a"]).labels(a="x", b="c"), "its labels are ['a']"),
        (lambda m: m.counter("rows").inc(-1), 'metric "rows": a counter only grows'),
        (lambda m: m.counter("rows").inc(float("nan")), 'metric "rows": a counter only grows'),
        (lambda m: m.gauge("g", aggregate="mean"), 'metric "g": aggregate is one of "last"'),
        (lambda m: (m.counter("two"), m.gauge("two")), 'metric "two": it is a counter already'),
        (
            lambda m: (m.gauge("more"), m.gauge("more", aggregate="sum")),
            'metric "more": it is a gauge last already',
        ),
        (lambda m: m.counter("x" * 300), "names, labels or texts are too long"),
        (lambda m: m.counter("long", {"a": "canary" * 1000}), 'metric "long": names, labels'),
    ],
)
def test_what_cannot_be_names_the_metric_and_no_value(
    metrics: Metrics, use: Any, expected: str
) -> None:
    with pytest.raises(ValueError) as caught:
        use(metrics)
    assert expected in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("labels", [{"a": 1}, "split"])
def test_labels_of_another_type_are_refused_by_name(metrics: Metrics, labels: Any) -> None:
    with pytest.raises(TypeError, match='metric "rows": '):
        metrics.counter("rows", labels)


def test_a_failed_introduction_leaves_nothing_behind(metrics: Metrics) -> None:
    with pytest.raises(ValueError, match="not a valid name"):
        metrics.counter("late-name")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.gauge("late_name") is metrics.gauge("late_name")
    with pytest.raises(ValueError, match="aggregate is one of"):
        metrics.gauge("later", aggregate="mean")  # type: ignore[call-overload] # what is tested
    assert metrics.gauge("later") is metrics.gauge("later")
    assert repr(metrics) == "<lyftlearn_runtime.metrics>"
    assert repr(metrics.counter("c")) == "<Counter c>"
