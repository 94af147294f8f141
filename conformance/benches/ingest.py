"""What StatsD in costs the agent: CPU time a line, memory, and what is lost, under a flood.

programs/flood.c sends counters of 100 series. What was counted each server says itself; its
CPU time is the kernel's account, which has what the kernel does for it, too. The servers take
turns, so that a machine that drifts drifts for all of them.

    ingest.py BINARY [STATSD]

STATSD is the directory of the original server, as npm installs it (node_modules/statsd).
"""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from common import DEADLINE, OURS, compiled

LINES = "lyftlearn_runtime_statsd_lines_total"
ROUNDS = 3
PEER_PORT, PEER_QUESTIONS = 9125, 9126


class Load(NamedTuple):
    """Packets, lines in each, and packets a second."""

    packets: int
    lines: int
    rate: int


class Server(NamedTuple):
    """Who listens where, and how it tells what it has counted."""

    pid: int
    port: int
    counted: Callable[[], float]


class Round(NamedTuple):
    """Lines a second that were sent, the part that was lost, nanoseconds a counted line."""

    rate: float
    lost: float
    cost: float


LOADS = {
    "3,000,000 lines/s, 20 a packet": Load(150_000, 20, 150_000),
    "200,000 packets/s, a line each": Load(200_000, 1, 200_000),
}


def asked(family: int, address: str | tuple[str, int], question: bytes = b"") -> str:
    """What a server answers; the original one ends its answer with END."""
    with socket.socket(family) as asking:
        asking.settimeout(DEADLINE)
        asking.connect(address)
        asking.sendall(question)
        answer = b""
        while not answer.endswith(b"END\n\n") and (part := asking.recv(1 << 16)):
            answer += part
        return answer.decode()


def wait(path: Path) -> None:
    end = time.monotonic() + DEADLINE
    while not path.exists() and time.monotonic() < end:
        os.sched_yield()


@contextmanager
def ours(binary: str, scratch: Path) -> Iterator[Server]:
    ready = scratch / "ready"
    script = f'echo "$LYFTLEARN_RUN_DIR $STATSD_PORT" >{ready}.new; mv {ready}.new {ready}; '
    variables = {**os.environ, "LYFTLEARN_RUNTIME_METRICS_STATSD_MODE": "on"}
    command = [binary, "run", "--", "sh", "-c", script + "exec sleep 1000"]
    with subprocess.Popen(command, env=variables) as shim:
        wait(ready)
        run, port = ready.read_text().split()

        def state() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
            return json.loads(asked(socket.AF_UNIX, f"{run}/agent.sock"))  # type: ignore[no-any-return]

        def counted() -> float:
            return sum(state()["metrics"]["counts"].get(LINES, {}).values())

        agent = json.loads(asked(socket.AF_UNIX, f"{run}/agent.sock"))["pid"]
        yield Server(agent, int(port), counted)
        shim.terminate()


@contextmanager
def original(directory: str, scratch: Path) -> Iterator[Server]:
    settings = scratch / "settings.js"
    settings.write_text(
        f'{{ port: {PEER_PORT}, mgmt_port: {PEER_QUESTIONS}, address: "127.0.0.1", '
        'mgmt_address: "127.0.0.1", flushInterval: 10000000, backends: [] }'
    )
    with subprocess.Popen(["node", f"{directory}/stats.js", str(settings)]) as server:

        def counted() -> float:
            answer = asked(socket.AF_INET, ("127.0.0.1", PEER_QUESTIONS), b"counters\n")
            return sum(map(float, re.findall(r"bench\.requests[^:]*: (\d+)", answer)))

        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                counted()
                break
            except ConnectionRefusedError:
                os.sched_yield()
        yield Server(server.pid, PEER_PORT, counted)
        server.terminate()


def cpu(pid: int) -> float:
    """Nanoseconds of all threads."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def once(server: Server, load: Load) -> Round:
    before, had = server.counted(), cpu(server.pid)
    command = [compiled("flood"), *map(str, (server.port, *load))]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout
    packets, nanoseconds = map(int, output.split())
    counted = server.counted() - before
    return Round(
        rate=packets * load.lines / nanoseconds * 1e9,
        lost=1 - counted / (packets * load.lines),
        cost=(cpu(server.pid) - had) / max(counted, 1),
    )


def main() -> None:
    binary, *peers = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory, ExitStack() as running:
        scratch = Path(directory)
        servers = {OURS: running.enter_context(ours(binary, scratch))}
        for peer in peers:
            servers["statsd (npm)"] = running.enter_context(original(peer, scratch))
        for name, load in LOADS.items():
            rounds: dict[str, list[Round]] = {server: [] for server in servers}
            for _ in range(ROUNDS):
                for server, found in rounds.items():
                    found.append(once(servers[server], load))
            reference = statistics.median(round_.cost for round_ in rounds[OURS])
            print(f"\n{name}")
            for server, found in rounds.items():
                cost = statistics.median(round_.cost for round_ in found)
                lost = [round_.lost for round_ in found]
                print(
                    f"  {server:<18} {statistics.median(lost):.1%} lost "
                    f"({min(lost):.1%} to {max(lost):.1%}), {cost:,.0f} ns a line "
                    f"({cost / reference:.1f}), {resident(servers[server].pid):.1f} MiB, of "
                    f"{statistics.median(round_.rate for round_ in found):,.0f} lines/s"
                )


if __name__ == "__main__":
    main()
