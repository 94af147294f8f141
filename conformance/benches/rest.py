"""What PID 1 costs while its program runs: memory, descriptors, wake-ups.

All shims at once, each PID 1 of a namespace of its own, above a program that waits for
signals. Memory from smaps_rollup when the ten seconds are over. RSS counts pages shared
with others in full, PSS by share (a dynamic shim shares its libc with whoever runs on the
machine), USS not at all; only the dirty pages cannot be dropped under pressure.
"""

import os
import time
from contextlib import ExitStack
from pathlib import Path

from common import REFERENCE, Shims, compiled, running, table, wait_until_asleep
from signals import received

SPAN = 10


def switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def memory(pid: int) -> dict[str, int]:
    """In kB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(size.split()[0]) for name, size in (line.split(":", 1) for line in lines)}
    dirty = sizes["Private_Dirty"]
    return {
        "RSS": sizes["Rss"],
        "PSS": sizes["Pss"],
        "USS": sizes["Private_Clean"] + dirty,
        "of it dirty": dirty,
    }


def report(shims: Shims) -> str:
    program = compiled("receiver")
    with ExitStack() as stack:
        pids = {}
        for name, argv in shims.items():
            receiver = stack.enter_context(running([*argv, program]))
            received(receiver, 0)
            wait_until_asleep(receiver.pid)
            pids[name] = receiver.pid
        before = {name: switches(pid) for name, pid in pids.items()}
        time.sleep(SPAN)  # the span that is measured
        idle = {name: switches(pid) - before[name] for name, pid in pids.items()}
        sizes = {name: memory(pid) for name, pid in pids.items()}
        descriptors = {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in pids.items()}
    return table(
        f"PID 1 at rest: memory in kB, context switches in {SPAN} s.",
        ["", *sizes[REFERENCE], "USS x tini", "descriptors", "context switches"],
        [
            [
                name,
                *map(str, sizes[name].values()),
                f"{sizes[name]['USS'] / sizes[REFERENCE]['USS']:.2f}",
                str(descriptors[name]),
                str(idle[name]),
            ]
            for name in shims
        ],
    )
