"""What the `metrics` facade's macros cost a Rust program: over the container's region, and over
metrics-exporter-prometheus alone.

The program is lyftlearn-runtime's example metrics_cost, which takes both in turn.
"""

import subprocess
from pathlib import Path


def report(programs: Path) -> str:
    command = [programs / "metrics_cost"]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return f"Metrics in Rust: nanoseconds for each operation, the best of 20 rounds.\n\n{found}"
