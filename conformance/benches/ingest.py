"""What StatsD in costs the agent: CPU time a line, memory, and what is lost, under a flood.

programs/flood.c sends counters of 100 series from the other processor. What the agent has
counted it says itself, after it has read everything; its CPU time is the kernel's.

    ingest.py BINARY [NAME=PORT:PID …]

Alone it prints a table; servers that run already are shown beside, with what /proc tells.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from common import DEADLINE, compiled

LINES = "lyftlearn_runtime_statsd_lines_total"
TICK = os.sysconf("SC_CLK_TCK")
ROUNDS = 3


class Load(NamedTuple):
    """Packets, lines in each, and packets a second."""

    packets: int
    lines: int
    rate: int


LOADS = {
    "3,000,000 lines/s, 20 a packet": Load(150_000, 20, 150_000),
    "200,000 packets/s, 1 line each": Load(200_000, 1, 200_000),
}


def cpu(pid: int) -> float:
    """Seconds that a process has had, in nanoseconds' precision."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def state(path: str) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        with asking.makefile() as answer:
            found: dict[str, object] = json.loads(answer.read())
            return found


def lines(path: str) -> float:
    counts = state(path)["metrics"]["counts"].get(LINES, {})  # type: ignore[index]
    return float(sum(counts.values()))


def flood(port: int, load: Load) -> float:
    """Lines a second that were sent."""
    command = [compiled("flood"), *map(str, (port, *load))]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout
    packets, nanoseconds = map(int, output.split())
    return packets * load.lines / nanoseconds * 1e9


def main() -> None:
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as shared:
        ports = Path(shared, "ports")
        script = f'echo "$LYFTLEARN_RUN_DIR $STATSD_PORT" >{ports}.new && mv {ports}.new {ports}; exec sleep 1000'
        variables = {**os.environ, "LYFTLEARN_RUNTIME_METRICS_STATSD_MODE": "on"}
        command = [binary, "run", "--", "sh", "-c", script]
        with subprocess.Popen(command, env=variables) as shim:
            try:
                end = time.monotonic() + DEADLINE
                while not ports.exists() and time.monotonic() < end:
                    os.sched_yield()
                run, port = ports.read_text().split()
                path = f"{run}/agent.sock"
                pid = int(state(path)["pid"])  # type: ignore[call-overload]
                for name, load in LOADS.items():
                    costs, losses, rates = [], [], []
                    for _ in range(ROUNDS):
                        before, had = lines(path), cpu(pid)
                        rates.append(flood(int(port), load))
                        counted = lines(path) - before
                        sent = load.packets * load.lines
                        costs.append((cpu(pid) - had) / counted * 1e9)
                        losses.append(1 - counted / sent)
                    print(
                        f"{name}: sent {statistics.median(rates):,.0f} lines/s, lost {statistics.median(losses):.2%} "
                        f"({min(losses):.2%} to {max(losses):.2%}), {statistics.median(costs):,.0f} ns a line, "
                        f"{resident(pid):.1f} MiB resident"
                    )
                print(json.dumps(state(path)["metrics"], indent=1))
            finally:
                shim.terminate()


if __name__ == "__main__":
    main()
