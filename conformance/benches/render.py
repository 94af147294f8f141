"""What it takes to show series to Prometheus: processor time and memory for so many of them.

Ours is a region and its exposition, in pieces as the agent sends it; the others render one
text. Each time is a process of its own, in turn. Then the agent under the real binary, with so
many series and scraped once.
"""

import json
import socket
import statistics
import subprocess
from pathlib import Path

from common import OURS, asked, beside, resident, table

ROUNDS = 5
PROGRAMS = Path(__file__).parent / "programs"
LOADS = [
    ("counters", 1_000),
    ("counters", 10_000),
    ("counters", 100_000),
    ("histograms", 1_000),
    ("histograms", 10_000),
]
SERIES = 10_000

Figures = dict[str, float]


def report(binary: str, python: str, programs: Path) -> str:
    return f"{rendering(python, programs)}\n\n{agents(binary, python)}"


def rendering(python: str, programs: Path) -> str:
    rust = str(programs / "render_cost")
    clients = {
        OURS: [rust, "ours"],
        "metrics-exporter-prometheus": [rust, "exporter"],
        "prometheus_client": [python, str(PROGRAMS / "render_cost.py")],
    }
    rows = []
    for kind, count in LOADS:
        rounds: dict[str, list[Figures]] = {client: [] for client in clients}
        for _ in range(ROUNDS):
            for client, command in clients.items():
                rounds[client].append(measured([*command, kind, str(count)]))
        ours = median(rounds[OURS], "milliseconds")
        for client, found in rounds.items():
            took = median(found, "milliseconds")
            rows.append(
                [
                    f"{count:,} {kind}, {client}",
                    f"{took:.1f}",
                    f"{took / ours:.2f}",
                    *(f"{median(found, name) / 1024:.1f}" for name in ("held", "peak", "text")),
                ]
            )
    return table(
        f"Metrics as text: ms of processor time, medians of {ROUNDS} rounds; and in MiB what"
        " the series take, what rendering takes beside it at most, and the text.",
        ["", "ms", "x ours", "series", "rendering", "text"],
        rows,
    )


def measured(command: list[str]) -> Figures:
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    found: Figures = json.loads(output)
    return found


def median(rounds: list[Figures], name: str) -> float:
    return statistics.median(found[name] for found in rounds)


def agents(binary: str, python: str) -> str:
    variables = {
        "LYFTLEARN_RUNTIME_METRICS_STATSD_MODE": "on",
        "LYFTLEARN_RUNTIME_METRICS_ROUTES": '["prometheus"]',
        "LYFTLEARN_RUNTIME_METRICS_LISTEN": "127.0.0.1:0",
        "LYFTLEARN_RUNTIME_METRICS_REGION_BYTES": str(16 << 20),
    }
    rows = []
    for way, count in (("statsd", 0), ("region", SERIES), ("statsd", SERIES)):
        program = [python, str(PROGRAMS / "many_series.py"), way, str(count)]
        with beside(binary, program, variables) as agent:
            before = resident(agent.pid)
            text = asked(socket.AF_UNIX, f"{agent.run}/metrics.sock", REQUEST)
            after = resident(agent.pid)
        shown = text.count('shard="')
        if shown != count:
            raise AssertionError(f"{shown} of {count} series are shown")
        rows.append(
            [
                f"{count:,} series, by {'StatsD' if way == 'statsd' else 'the region'}",
                f"{before['all']:.1f}",
                f"{after['most']:.1f}",
                f"{after['all']:.1f}",
                f"{after['shared']:.1f}",
            ]
        )
    return table(
        "The agent's resident memory in MiB: before it is scraped, at most, and after; and of"
        " that what is a file's, or shared.",
        ["", "before", "at most", "after", "of it shared"],
        rows,
    )


REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
