"""Measures our shim and its peers, and prints one table for each subject.

    report.py BINARY [PYTHON-WITH-THE-WHEEL WHEEL [PEERS EMPTY-EXTENSION]]

Machines differ and drift, so the ratios within one run are what counts: everything is
measured in turn (A B C D A B C D ...), the bare program with it. Meant to be run by
run.sh, in namespaces and a /run of its own.
"""

import gc
import os
import sys
from pathlib import Path

import credentials
import events_added
import exits
import ingest
import large
import metrics_python
import metrics_rust
import orphans
import package
import render
import rest
import secrets_added
import signals
import start
from common import PROCESSORS, all_shims


def main(
    binary: str, python: str = "", wheel: str = "", peers: str = "", extension: str = ""
) -> None:
    # A collection in the middle of a measurement would count as somebody's.
    gc.disable()
    os.sched_setaffinity(0, PROCESSORS[:1])
    shims = all_shims(binary)
    tables = []
    for subject in (start, signals, exits, orphans, rest, large):
        print(f"bench: {subject.__name__}", file=sys.stderr)
        tables.append(subject.report(shims))
    if python and wheel:
        print("bench: package", file=sys.stderr)
        tables.append(package.report(python, wheel))
    if peers and extension:
        with_peers = f"{peers}/bin/python"
        # Cargo's place for them.
        examples = Path(binary).parent / "examples"
        print("bench: metrics_python", file=sys.stderr)
        tables.append(metrics_python.report(binary, with_peers, extension))
        print("bench: metrics_rust", file=sys.stderr)
        tables.append(metrics_rust.report(examples))
        print("bench: render", file=sys.stderr)
        tables.append(render.report(binary, with_peers, examples))
        print("bench: ingest", file=sys.stderr)
        tables.append(ingest.report(binary, Path(peers) / "statsd"))
        print("bench: secrets", file=sys.stderr)
        tables.append(secrets_added.report(binary, python))
        print("bench: events", file=sys.stderr)
        tables.append(events_added.report(binary, python))
        print("bench: credentials", file=sys.stderr)
        tables.append(credentials.report(binary, python))
    print("\n\n".join(tables))


if __name__ == "__main__":
    main(*sys.argv[1:6])
