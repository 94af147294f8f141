"""Run by the Python under test: imports the package, counts, and reads the view."""

import platform
import sys
import time

begun = time.perf_counter()
import lyftlearn_runtime as rt  # noqa: E402

took = (time.perf_counter() - begun) * 1000
counter = rt.metrics.counter("rows", {"split": "train"})
counter.inc(512)
(rows,) = (series for series in rt.metrics.snapshot() if series.name == "rows")
assert rows.value == 512, rows.value
assert rt.resources.cpus > 0
assert rt.hyperparameters.float("lr", 0.5) == 0.5
turns = 200_000
begun = time.perf_counter()
for _ in range(turns):
    counter.inc()
each = (time.perf_counter() - begun) / turns * 1e9
print(
    f"CPython {platform.python_version()} {platform.machine()} {platform.libc_ver()[0] or 'musl'}: "
    f"{rt.__version__}, {rt.platform}; import {took:.1f} ms, counter {each:.0f} ns"
)
sys.stdout.flush()
