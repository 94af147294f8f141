"""Sends lines by a client as it comes from PyPI, and ends in one way or another."""

import os
import signal
import sys
from collections.abc import Callable

from datadog.dogstatsd.base import DogStatsd
from statsd import TCPStatsClient
from statsd.defaults.env import statsd

Count = Callable[[], object]


def by_environment() -> Count:
    return lambda: statsd.incr("client.env")


def pipeline() -> Count:
    def count() -> None:
        with statsd.pipeline() as lines:
            lines.incr("client.pipeline")

    return count


def tcp() -> Count:
    client = TCPStatsClient(os.environ["STATSD_HOST"], int(os.environ["STATSD_PORT"]))
    return lambda: client.incr("client.tcp")


def datadog() -> Count:
    client = DogStatsd(disable_telemetry=True)
    return lambda: client.increment("client.datadog", tags=["k:v"])


def datadog_unix() -> Count:
    run = os.environ["LYFTLEARN_RUN_DIR"]
    # Without a timeout it drops what the kernel's queue of ten does not take.
    client = DogStatsd(
        socket_path=f"unix://{run}/statsd.sock", disable_telemetry=True, socket_timeout=120
    )
    return lambda: client.increment("client.unix", tags=["k:v"])


def datadog_stream() -> Count:
    run = os.environ["LYFTLEARN_RUN_DIR"]
    client = DogStatsd(
        socket_path=f"unixstream://{run}/statsd-stream.sock",
        disable_telemetry=True,
        socket_timeout=120,
    )
    return lambda: client.increment("client.stream", tags=["k:v"])


def datadog_buffered() -> Count:
    client = DogStatsd(disable_telemetry=True, disable_buffering=False, flush_interval=0)

    def count() -> None:
        client.increment("client.buffered")
        # Lines in the client's own buffer are lost with the process, with any server.
        client.flush()

    return count


CLIENTS = {
    "statsd": by_environment,
    "pipeline": pipeline,
    "tcp": tcp,
    "datadog": datadog,
    "datadog-unix": datadog_unix,
    "datadog-stream": datadog_stream,
    "datadog-buffered": datadog_buffered,
}


def main() -> None:
    name, ending, lines = sys.argv[1:]
    count = CLIENTS[name]()
    for _ in range(int(lines)):
        count()
    if ending == "_exit":
        os._exit(0)
    if ending != "exit":
        os.kill(os.getpid(), signal.Signals[ending])


main()
