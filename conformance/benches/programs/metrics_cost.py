"""What one operation costs in each client, in nanoseconds, as JSON.

    metrics_cost.py ROUNDS CLIENT...

One process for all of them, in turn, so that a drifting machine drifts for all of them.
"""

# ruff: noqa: PLC0415 - each client is imported where it is asked for

import json
import random
import socket
import sys
import timeit
from collections.abc import Callable
from typing import Any

NUMBER = 5_000
OPERATIONS = ("counter", "gauge", "histogram", "timer")

Operations = dict[str, Callable[[], object]]


def timed(make: Callable[[], Any]) -> Callable[[], None]:
    def block() -> None:
        with make():
            pass

    return block


def nothing() -> Operations:
    from empty_call import Empty

    empty = Empty()
    one = (1.5,)
    return {
        "counter": empty.inc,
        "gauge": lambda: empty.set(*one),
        "histogram": lambda: empty.set(*one),
        "timer": timed(lambda: empty),
    }


def ours() -> Operations:
    import lyftlearn_runtime as rt

    gauge, histogram = rt.metrics.gauge("g"), rt.metrics.histogram("h")
    timer = rt.metrics.timer("t")
    one = (1.5,)
    return {
        "counter": rt.metrics.counter("c").inc,
        "gauge": lambda: gauge.set(*one),
        "histogram": lambda: histogram.observe(*one),
        "timer": timed(lambda: timer),
    }


def prometheus() -> Operations:
    import prometheus_client

    gauge = prometheus_client.Gauge("g", "g")
    histogram = prometheus_client.Histogram("h", "h")
    one = (1.5,)
    return {
        "counter": prometheus_client.Counter("c", "c").inc,
        "gauge": lambda: gauge.set(*one),
        "histogram": lambda: histogram.observe(*one),
        "timer": timed(histogram.time),
    }


def receiver() -> int:
    """A port at which somebody listens, and nobody reads: the kernel drops the rest."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    receivers.append(listening)
    port: int = listening.getsockname()[1]
    return port


receivers: list[socket.socket] = []


def statsd() -> Operations:
    import statsd

    client = statsd.StatsClient("127.0.0.1", receiver())
    return {
        "counter": lambda: client.incr("c"),
        "gauge": lambda: client.gauge("g", 1.5),
        "histogram": lambda: client.timing("h", 1.5),
        "timer": timed(lambda: client.timer("t")),
    }


def datadog() -> Operations:
    from datadog.dogstatsd import DogStatsd

    client = DogStatsd(host="127.0.0.1", port=receiver(), disable_telemetry=True)
    return {
        "counter": lambda: client.increment("c"),
        "gauge": lambda: client.gauge("g", 1.5),
        "histogram": lambda: client.histogram("h", 1.5),
        "timer": timed(lambda: client.timed("t")),
    }


def opentelemetry() -> Operations:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")
    counter, histogram = meter.create_counter("c"), meter.create_histogram("h")
    gauge = meter.create_gauge("g")
    return {
        "counter": lambda: counter.add(1),
        "gauge": lambda: gauge.set(1.5),
        "histogram": lambda: histogram.record(1.5),
    }


CLIENTS = {
    "an empty native call": nothing,
    "lyftlearn_runtime": ours,
    "prometheus_client": prometheus,
    "prometheus_client, multiprocess": prometheus,
    "statsd": statsd,
    "datadog": datadog,
    "opentelemetry-sdk": opentelemetry,
}


def main(rounds: int, clients: list[str]) -> None:
    operations = {
        (client, name): operation
        for client in clients
        for name, operation in CLIENTS[client]().items()
    }
    figures: dict[str, dict[str, list[float]]] = {client: {} for client in clients}
    order = list(operations)
    draw = random.Random(1)
    for round_ in range(-1, rounds):
        draw.shuffle(order)
        for client, name in order:
            seconds = timeit.timeit(operations[client, name], number=NUMBER)
            if round_ >= 0:
                figures[client].setdefault(name, []).append(seconds / NUMBER * 1e9)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
