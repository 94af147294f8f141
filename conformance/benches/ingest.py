"""What StatsD in costs: CPU time a line, memory, and what is lost, under a flood.

programs/flood.c sends counters of 100 series, in words that every server understands. What
was counted each server says itself; its CPU time is the kernel's account, which has what the
kernel does for it, too. Each server has the receive buffer that it asks for, or its default.
The servers take turns, so that a machine that drifts drifts for all of them, and the sender
has the last processor, they the others.
"""

import os
import re
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from common import AWAY, DEADLINE, OURS, asked, beside, compiled, resident, table

LINES = "lyftlearn_runtime_statsd_lines_total"
DROPS = "lyftlearn_runtime_statsd_kernel_drops_total"
ROUNDS = 5
NPM_PORT, NPM_QUESTIONS, COLLECTD_PORT, NETDATA_PORT, NETDATA_QUESTIONS = range(9125, 9130)
# Flush interval in seconds of collectd and netdata.
INTERVAL = 1


class Load(NamedTuple):
    """Packets, lines in each, and packets a second."""

    packets: int
    lines: int
    rate: int


class Server(NamedTuple):
    """Who listens where, and how it tells what it has counted, and which packets the kernel
    has dropped before it.
    """

    pid: int
    port: int
    counted: Callable[[], float]
    dropped: Callable[[], float] = lambda: 0.0


class Round(NamedTuple):
    """Lines a second that were sent, the part that was lost, and of it the part that the
    server says; nanoseconds a counted line.
    """

    rate: float
    lost: float
    told: float
    cost: float


LOADS = {
    "3,000,000 lines/s, 20 a packet": Load(150_000, 20, 150_000),
    "200,000 packets/s, a line each": Load(200_000, 1, 200_000),
}

ABOUT = (
    f": medians of {ROUNDS} rounds of a second. What is lost, least to most, and what of it the"
    " server does not know of; nanoseconds of CPU for a counted line."
)
COLUMNS = ["", "sent lines/s", "lost", "", "unknown", "ns a line", "x ours", "MiB"]


def report(binary: str, peers: Path) -> str:
    """PEERS has what peers.sh could get."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as running:
        scratch = Path(directory)
        servers = {OURS: running.enter_context(ours(binary))}
        for name, place, start in (
            ("statsd (npm)", peers / "node_modules/statsd", original),
            ("collectd", peers / "collectd", collectd),
            ("netdata", peers / "netdata", netdata),
        ):
            if place.is_dir():
                servers[name] = running.enter_context(start(place, scratch))
        tables = []
        for name, load in LOADS.items():
            rounds: dict[str, list[Round]] = {server: [] for server in servers}
            for _ in range(ROUNDS):
                for server, found in rounds.items():
                    found.append(once(servers[server], load))
            reference = statistics.median(round_.cost for round_ in rounds[OURS])
            rows = [
                [server, *row(found, reference, servers[server])]
                for server, found in rounds.items()
            ]
            tables.append(table(f"StatsD in, {name}{ABOUT}", COLUMNS, rows))
    return "\n\n".join(tables)


def row(found: list[Round], reference: float, server: Server) -> list[str]:
    lost = [round_.lost for round_ in found]
    cost = statistics.median(round_.cost for round_ in found)
    return [
        f"{statistics.median(round_.rate for round_ in found):,.0f}",
        f"{statistics.median(lost):.1%}",
        f"({min(lost):.1%} to {max(lost):.1%})",
        f"{statistics.median(round_.lost - round_.told for round_ in found):.1%}",
        f"{cost:,.0f}",
        f"{cost / reference:.2f}",
        f"{resident(server.pid)['all']:.1f}",
    ]


def once(server: Server, load: Load) -> Round:
    before, dropped, had = server.counted(), server.dropped(), cpu(server.pid)
    command = [*AWAY, compiled("flood"), *map(str, (server.port, *load))]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout
    packets, nanoseconds = map(int, output.split())
    lines = packets * load.lines
    counted = server.counted() - before
    return Round(
        rate=lines / nanoseconds * 1e9,
        lost=1 - counted / lines,
        told=(server.dropped() - dropped) / packets,
        cost=(cpu(server.pid) - had) / max(counted, 1),
    )


def cpu(pid: int) -> float:
    """Nanoseconds of all threads."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


@contextmanager
def ours(binary: str) -> Iterator[Server]:
    script = 'echo "$LYFTLEARN_RUN_DIR $STATSD_PORT" >"$0.new"; mv "$0.new" "$0"; exec sleep 1000'
    variables = {"LYFTLEARN_RUNTIME_METRICS_STATSD_MODE": "on"}
    with beside(binary, ["sh", "-c", script], variables) as agent:

        def total(name: str) -> float:
            counts: dict[str, dict[str, float]] = agent.state()["metrics"]["counts"]
            return sum(counts.get(name, {}).values())

        yield Server(agent.pid, int(agent.said[0]), lambda: total(LINES), lambda: total(DROPS))


@contextmanager
def original(package: Path, scratch: Path) -> Iterator[Server]:
    settings = scratch / "settings.js"
    settings.write_text(
        f'{{ port: {NPM_PORT}, mgmt_port: {NPM_QUESTIONS}, address: "127.0.0.1", '
        'mgmt_address: "127.0.0.1", flushInterval: 10000000, backends: [] }'
    )

    def counted() -> float:
        answer = asked(socket.AF_INET, ("127.0.0.1", NPM_QUESTIONS), b"counters\n")
        return sum(map(float, re.findall(r"bench\.requests[^:]*: (\d+)", answer)))

    with serving(["node", str(package / "stats.js"), str(settings)]) as server:
        wait_for(NPM_QUESTIONS)
        yield Server(server.pid, NPM_PORT, counted)


@contextmanager
def collectd(root: Path, scratch: Path) -> Iterator[Server]:
    """Its totals are in files that it writes every second."""
    settings, totals = scratch / "collectd.conf", scratch / "totals"
    settings.write_text(
        f"""
        Hostname "bench"
        BaseDir "{scratch}"
        PIDFile "{scratch}/collectd.pid"
        PluginDir "{root}/usr/lib/collectd"
        TypesDB "{root}/usr/share/collectd/types.db"
        Interval {INTERVAL}
        LoadPlugin csv
        LoadPlugin statsd
        <Plugin csv>
          DataDir "{totals}"
          StoreRates false
        </Plugin>
        <Plugin statsd>
          Host "127.0.0.1"
          Port "{COLLECTD_PORT}"
        </Plugin>
        """
    )

    def written() -> float:
        files = totals.glob("bench/statsd/derive-bench.requests*")
        return sum(float(file.read_text().split()[-1].split(",")[1]) for file in files)

    command = [str(root / "usr/sbin/collectd"), "-f", "-C", str(settings)]
    with serving(command) as server:
        yield Server(server.pid, COLLECTD_PORT, lambda: settled(written))


@contextmanager
def netdata(root: Path, scratch: Path) -> Iterator[Server]:
    """Without everything that it does besides, charts of each metric among it, and no more
    modest than the others when there is a processor to be had.
    """
    here = scratch / "netdata"
    here.mkdir()
    plugins = ("proc", "diskspace", "cgroups", "tc", "idlejitter", "timex")
    (here / "netdata.conf").write_text(
        "[global]\nrun as user = root\nprocess scheduling policy = keep\n[directories]\n"
        + "".join(
            f"{name} = {here}\n"
            for name in ("config", "stock config", "cache", "lib", "log", "plugins", "web")
        )
        + f"[db]\nmode = ram\nupdate every = {INTERVAL}\n"
        f"[web]\ndefault port = {NETDATA_QUESTIONS}\nbind to = 127.0.0.1\n"
        "[ml]\nenabled = no\n[health]\nenabled = no\n"
        "[plugins]\nenable running new plugins = no\nnetdata monitoring extended = yes\n"
        + "".join(f"{name} = no\n" for name in plugins)
        + f"[statsd]\nbind to = udp:127.0.0.1:{NETDATA_PORT}\n"
        "create private charts for metrics matching = !*\n"
    )

    def shown() -> float:
        question = b"GET /api/v1/allmetrics?format=prometheus&source=as-collected HTTP/1.0\r\n\r\n"
        answer = asked(socket.AF_INET, ("127.0.0.1", NETDATA_QUESTIONS), question)
        found = re.search(r'statsd_events_total\{[^}]*"counters"\} (\d+)', answer)
        return float(found.group(1)) if found else 0.0

    libraries = str(next(root.glob("usr/lib/*/libuv.so.1")).parent)
    command = [str(root / "usr/sbin/netdata"), "-D", "-c", str(here / "netdata.conf")]
    with serving(command, {"LD_LIBRARY_PATH": libraries}) as server:
        wait_for(NETDATA_QUESTIONS)
        yield Server(server.pid, NETDATA_PORT, lambda: settled(shown))


def settled(counted: Callable[[], float]) -> float:
    """What is counted once nothing is added any more."""
    before, end = -1.0, time.monotonic() + DEADLINE
    while before != (now := counted()):
        if time.monotonic() > end:
            raise TimeoutError("the server does not stop counting")
        before = now
        # It publishes once in an interval: two equal looks closer together would say nothing.
        time.sleep(2.5 * INTERVAL)
    return now


@contextmanager
def serving(
    command: list[str], variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, **(variables or {})}
    # They tell a story of their own.
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, env=environ, stdout=nowhere, stderr=nowhere) as server:
        try:
            yield server
        finally:
            server.kill()


def wait_for(port: int) -> None:
    """Until somebody listens."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError(f"nobody listens on port {port}")
