"""Four processes that count in one place: nanoseconds for each operation, and how many
were lost, as JSON.

    metrics_contention.py ours|prometheus
"""

# ruff: noqa: PLC0415 - the same as in metrics_cost.py

import json
import multiprocessing
import sys
import time

PROCESSES = 4
COUNT = 200_000


def ours() -> float:
    import lyftlearn_runtime as rt

    inc = rt.metrics.counter("contended").inc
    return counted(inc, lambda: rt.metrics.snapshot()[0].value)


def prometheus() -> float:
    import prometheus_client
    from prometheus_client import multiprocess

    registry = prometheus_client.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    inc = prometheus_client.Counter("contended", "contended").inc
    return counted(inc, lambda: registry.get_sample_value("contended_total") or 0.0)


def counted(inc, total) -> float:  # type: ignore[no-untyped-def]
    def work() -> None:
        for _ in range(COUNT):
            inc()

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=work) for _ in range(PROCESSES)]
    begun = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - begun
    print(json.dumps({"ns": seconds / COUNT * 1e9, "lost": PROCESSES * COUNT - total()}))
    return seconds


if __name__ == "__main__":
    {"ours": ours, "prometheus": prometheus}[sys.argv[1]]()
