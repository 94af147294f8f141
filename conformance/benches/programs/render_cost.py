"""What it takes prometheus_client to render some series as text, as JSON.

    render_cost.py counters|histograms SERIES

The same series and the same figures as lyftlearn-runtime's example render_cost has.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import prometheus_client

ROUNDS = 5
METRIC = 100


def memory(line: str) -> int:
    """A line of the kernel's account of this process, in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(line)[1].split()[0])


def fill(registry: prometheus_client.CollectorRegistry, kind: str, series: int) -> None:
    labels = ["shard", "route"]
    for metric in range((series + METRIC - 1) // METRIC):
        name = f"bench_metric_{metric}"
        shards = range(metric * METRIC, min((metric + 1) * METRIC, series))
        if kind == "counters":
            counter = prometheus_client.Counter(name, "", labels, registry=registry)
            for shard in shards:
                counter.labels(f"{shard:06}", "/v1/score").inc(shard)
        else:
            histogram = prometheus_client.Histogram(name, "", labels, registry=registry)
            for shard in shards:
                one = histogram.labels(f"{shard:06}", "/v1/score")
                for value in (0.003, 0.02, 0.02, 0.7):
                    one.observe(value)


def main(kind: str, series: int) -> None:
    registry = prometheus_client.CollectorRegistry()
    empty = memory("VmRSS:")
    fill(registry, kind, series)
    held = memory("VmRSS:")
    Path("/proc/self/clear_refs").write_text("5")
    text = prometheus_client.generate_latest(registry)
    peak = memory("VmHWM:")
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        text = prometheus_client.generate_latest(registry)
        times.append((time.process_time() - begun) * 1e3)
    print(
        json.dumps(
            {
                "milliseconds": statistics.median(times),
                "held": held - empty,
                "peak": max(peak - held, 0),
                "text": len(text) // 1024,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
