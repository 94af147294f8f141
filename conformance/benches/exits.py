"""How much later the end of a program is seen when there is a shim above it.

From the program's last act (programs/leaver.c), on the other processor with its shim,
until the wait for the shim, or for the bare program, has returned. The program is told to
end when the shim is asleep, and through a pipe, so that nothing but its end wakes the shim.
"""

import os
import statistics
import struct
import subprocess
import time
from functools import partial

from common import (
    AWAY,
    BARE,
    Shims,
    added_median,
    added_ratio,
    compiled,
    in_turn,
    table,
    wait_until_asleep,
)

ROUNDS = 500
RECORD = struct.Struct("q")


def once(argv: list[str]) -> float:
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        output = process.stdout.fileno()
        os.read(output, RECORD.size)
        wait_until_asleep(process.pid)
        process.stdin.close()
        process.wait()
        seen = time.monotonic_ns()
        (left,) = RECORD.unpack(os.read(output, RECORD.size))
    return float(seen - left) / 1000


def report(shims: Shims) -> str:
    program = compiled("leaver")
    measures = {name: partial(once, [*AWAY, *argv, program]) for name, argv in shims.items()}
    times = in_turn(ROUNDS, 20, {BARE: partial(once, [*AWAY, program]), **measures})
    bare = statistics.median(times[BARE])
    return table(
        f"From the program's end to the shim's: {ROUNDS} each in turn; bare {bare:.0f} µs.",
        ["", "median µs", "added, µs (95 %)", "x tini"],
        [
            [
                name,
                f"{statistics.median(times[name]):.1f}",
                added_median(times, name),
                added_ratio(times, name),
            ]
            for name in shims
        ],
    )
