"""Makes so many series, says so, and waits for its end.

    many_series.py region|statsd COUNT READY

By lyftlearn_runtime.metrics, or by StatsD on the unix socket, where nothing gets lost. READY
is a file to be: the run directory stands in it.
"""

# ruff: noqa: PLC0415 - only one of both wants the package

import os
import signal
import socket
import sys
from pathlib import Path


def region(count: int) -> None:
    import lyftlearn_runtime as rt

    for shard in range(count):
        labels = {"shard": f"{shard:06}", "route": "/v1/score"}
        rt.metrics.counter(f"bench_metric_{shard // 100}", labels=labels).inc()


def statsd(count: int) -> None:
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(f"{os.environ['LYFTLEARN_RUN_DIR']}/statsd-stream.sock")
        for shard in range(count):
            tags = f"shard:{shard:06},route:/v1/score"
            stream.sendall(f"bench.metric_{shard // 100}:1|c|#{tags}\n".encode())


def main(way: str, count: int, ready: Path) -> None:
    {"region": region, "statsd": statsd}[way](count)
    new = ready.with_suffix(".new")
    new.write_text(os.environ["LYFTLEARN_RUN_DIR"])
    new.rename(ready)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
