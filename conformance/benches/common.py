"""What the subjects share: the shims, taking turns, medians, and a table."""

import json
import math
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

Shims = dict[str, list[str]]

BARE = "bare program"
OURS = "lyftlearn-runtime"
# What everything is a ratio to.
REFERENCE = "tini"
DEADLINE = 10.0
# Where a process runs decides more than which shim it is: a wake-up across processors
# costs several times one on the spot. So nothing here is left to the scheduler. We, and
# what is spawned without more ado, run on the first processor; what AWAY stands before,
# on the last one.
PROCESSORS = sorted(os.sched_getaffinity(0))
AWAY = ["taskset", "--cpu-list", str(PROCESSORS[-1])]
# A PID namespace whose first process is what follows, and which ends with it.
AS_PID_1 = [*AWAY, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]


def all_shims(binary: str) -> Shims:
    """What goes before a program's name; every shim as its manual would have it started.

    tini's -s is its way to adopt orphans where it is not PID 1; as PID 1 it changes nothing.
    """
    shims = {
        "tini": ["tini", "-s", "--"],
        "tini-static": ["tini-static", "-s", "--"],
        "dumb-init": ["dumb-init", "--"],
        "catatonit": ["catatonit", "--"],
        OURS: [binary, "run", "--"],
    }
    # By full path, so that no search of $PATH is measured.
    return {name: [found(argv[0]), *argv[1:]] for name, argv in shims.items()}


def found(command: str) -> str:
    path = shutil.which(command)
    if path is None:
        raise FileNotFoundError(f"{command} is not there")
    return path


def compiled(program: str) -> str:
    """A program of programs/; static, so that it starts and forks at little cost of its own."""
    source = Path(__file__).parent / "programs" / f"{program}.c"
    target = Path(tempfile.gettempdir()) / program
    if not target.exists():
        command = ["cc", "-O2", "-Wall", "-Wextra", "-static", "-o", str(target), str(source)]
        subprocess.run(command, check=True)
    return str(target)


def in_turn(
    rounds: int, warm_up: int, measures: Mapping[str, Callable[[], float]]
) -> dict[str, list[float]]:
    """Rounds of one measurement each, so that a drifting machine drifts for all of them.

    The order within a round is drawn anew (but the same in every run), so that
    nothing always comes after the same neighbour.
    """
    figures: dict[str, list[float]] = {name: [] for name in measures}
    order = list(measures)
    draw = random.Random(1)
    for round_ in range(-warm_up, rounds):
        draw.shuffle(order)
        for name in order:
            figure = measures[name]()
            if round_ >= 0:
                figures[name].append(figure)
    return figures


def added(figures: dict[str, list[float]], name: str) -> list[float]:
    """By how much a shim's figure exceeds the bare program's of the same round."""
    return [figure - bare for figure, bare in zip(figures[name], figures[BARE])]


def added_median(figures: dict[str, list[float]], name: str) -> str:
    return median(added(figures, name), 1)


def added_ratio(figures: dict[str, list[float]], name: str) -> str:
    reference = statistics.median(added(figures, REFERENCE))
    return f"{statistics.median(added(figures, name)) / reference:.2f}"


def median(values: list[float], digits: int) -> str:
    """A median and its 95 % interval; by rank, so however the values are distributed."""
    ordered = sorted(values)
    half = 0.98 * math.sqrt(len(ordered))
    low = ordered[max(0, math.floor(len(ordered) / 2 - half))]
    high = ordered[min(len(ordered) - 1, math.ceil(len(ordered) / 2 + half) - 1)]
    return f"{statistics.median(ordered):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column is names, the others are figures."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    cells = [
        [line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]
        for line in (lines[0], rule, *lines[1:])
    ]
    return "\n".join([title, "", *(f"| {' | '.join(line)} |" for line in cells)])


class Running(NamedTuple):
    """PID 1 of a namespace: the pid it has outside, and what it and its program write."""

    pid: int
    output: int


@contextmanager
def running(argv: list[str]) -> Iterator[Running]:
    """Starts what follows as PID 1, and ends it with all of its namespace by a SIGTERM."""
    process = subprocess.Popen([*AS_PID_1, *argv], stdout=subprocess.PIPE)
    try:
        assert process.stdout
        pid = first_child(process.pid)
        yield Running(pid, process.stdout.fileno())
        os.kill(pid, signal.SIGTERM)
        process.communicate(timeout=DEADLINE)
    finally:
        # To no effect when all is well; else --kill-child takes the namespace along.
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def first_child(pid: int) -> int:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if found := children(pid):
            return found[0]
    raise TimeoutError("the namespace has no first process")


def wait_until_asleep(pid: int) -> None:
    """Until a process waits: then a shim has done all there was to do."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
        if state == b"S":
            return
    raise TimeoutError(f"process {pid} does not come to rest")


class Agent(NamedTuple):
    """The agent beside a program, the run directory, and what the program said of itself."""

    pid: int
    run: Path
    said: list[str]

    def state(self) -> dict[str, Any]:
        """What the agent says of itself."""
        found: dict[str, Any] = json.loads(asked(socket.AF_UNIX, f"{self.run}/agent.sock"))
        return found


def asked(family: int, address: str | tuple[str, int], question: bytes = b"") -> str:
    """What a server answers, to its end; statsd's ends with END."""
    with socket.socket(family) as asking:
        asking.settimeout(DEADLINE)
        asking.connect(address)
        if question:
            asking.sendall(question)
        answer = b""
        while not answer.endswith(b"END\n\n") and (part := asking.recv(1 << 16)):
            answer += part
        return answer.decode()


@contextmanager
def beside(binary: str, program: list[str], variables: Mapping[str, str]) -> Iterator[Agent]:
    """Runs a program, and an agent beside it. The program is given a path as its last
    argument, where it says that it is ready: its run directory, and what it likes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready"
        command = [binary, "run", "--", *program, str(ready)]
        with subprocess.Popen(command, env={**os.environ, **variables}) as shim:
            try:
                end = time.monotonic() + DEADLINE
                while not ready.exists():
                    if time.monotonic() > end or shim.poll() is not None:
                        raise TimeoutError(f"{program[0]} is not ready")
                    time.sleep(0.01)
                run, *said = ready.read_text().split()
                agent = Agent(0, Path(run), said)
                yield agent._replace(pid=agent.state()["pid"])
            finally:
                shim.terminate()


def resident(pid: int) -> dict[str, float]:
    """MiB; what was the most; and of now's those that others have as well, a file's or shared."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    names = ("VmRSS", "VmHWM", "RssShmem", "RssFile")
    size = {name: int(fields[name].split()[0]) / 1024 for name in names}
    return {
        "all": size["VmRSS"],
        "most": size["VmHWM"],
        "shared": size["RssShmem"] + size["RssFile"],
    }
