"""What a metric costs a Python program, and what several processes cost each other.

Each client in its usual manner: prometheus_client in one process and in its multiprocess
mode, StatsD's and Datadog's over UDP to a port at which nobody reads, OpenTelemetry's with
a reader that does nothing. The ratio is to a native call of the same signature that does
nothing: what cannot be saved.
"""

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from common import PROCESSORS, median, table

ROUNDS = 60
CONTENDED_ROUNDS = 5
PROGRAMS = Path(__file__).parent / "programs"
EMPTY = "an empty native call"
OURS = "lyftlearn_runtime"
MULTIPROCESS = "prometheus_client, multiprocess"
# The multiprocess mode applies to a whole process, so it is measured in a process of its own.
GROUPS = [
    [EMPTY, OURS, "prometheus_client", "statsd", "datadog", "opentelemetry-sdk"],
    [EMPTY, MULTIPROCESS],
]


def report(binary: str, python: str, extension: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "empty_call.abi3.so").symlink_to(os.path.abspath(extension))
        costs = [cost(binary, python, group, directory) for group in GROUPS]
        contended = contention(binary, python, directory)
    rows: list[list[str]] = []
    for group, figures in zip(GROUPS, costs):
        for client in group:
            if client == EMPTY and rows:
                continue
            rows.append([client, *(cell(figures, client, name) for name in OPERATIONS)])
    first = table(
        f"Metrics in Python: nanoseconds for each operation, median of {ROUNDS} rounds (95 %),"
        " and x an empty native call in the same process.",
        ["", *OPERATIONS],
        rows,
    )
    second = table(
        f"Four processes that count in one place, {CONTENDED_ROUNDS} rounds of 800,000 increments.",
        ["", "ns of each process for one", "lost"],
        contended,
    )
    return f"{first}\n\n{second}"


OPERATIONS = ("counter", "gauge", "histogram", "timer")


def cell(figures: dict[str, dict[str, list[float]]], client: str, name: str) -> str:
    if name not in figures[client]:
        return "-"
    ratio = statistics.median(figures[client][name]) / statistics.median(figures[EMPTY][name])
    return f"{median(figures[client][name], 0)} x{ratio:.2f}"


def cost(
    binary: str, python: str, clients: list[str], directory: str
) -> dict[str, dict[str, list[float]]]:
    command = [python, str(PROGRAMS / "metrics_cost.py"), str(ROUNDS), *clients]
    figures: dict[str, dict[str, list[float]]]
    figures = json.loads(supervised(binary, command, directory, MULTIPROCESS in clients))
    return figures


def contention(binary: str, python: str, directory: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for client, word in ((OURS, "ours"), (MULTIPROCESS, "prometheus")):
        # Not on the one processor that everything else here is pinned to.
        command = ["taskset", "--cpu-list", ",".join(map(str, PROCESSORS)), python]
        command += [str(PROGRAMS / "metrics_contention.py"), word]
        figures = [
            json.loads(supervised(binary, command, directory, client == MULTIPROCESS))
            for _ in range(CONTENDED_ROUNDS)
        ]
        costs = [figure["ns"] for figure in figures]
        lost = sum(figure["lost"] for figure in figures)
        rows.append([client, median(costs, 0), f"{lost:.0f}"])
    return rows


def supervised(binary: str, command: list[str], directory: str, multiprocess: bool) -> str:
    """Under `run`, so that there is a region; as a program of its own."""
    environ = {**os.environ, "PYTHONPATH": directory}
    with tempfile.TemporaryDirectory() as files:
        if multiprocess:
            environ["PROMETHEUS_MULTIPROC_DIR"] = files
        return subprocess.run(
            [binary, "run", "--", *command],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
