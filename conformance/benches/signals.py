"""How much later a signal arrives when it goes through a shim.

From just before kill(2) on PID 1 until the program's sigwaitinfo(2) has returned, both on
CLOCK_MONOTONIC; sent by Python, received on the other processor by programs/receiver.c,
which is the shim's program or, bare, PID 1 itself. One signal is under way at a time, and
the shim is asleep again before the next is sent to anybody. The way across processors is
in every figure; what is added is the shim's own work and one more change of process.
"""

import os
import select
import signal
import statistics
import struct
import time
from contextlib import ExitStack
from functools import partial

from common import (
    BARE,
    DEADLINE,
    Running,
    Shims,
    added_median,
    added_ratio,
    compiled,
    in_turn,
    running,
    table,
    wait_until_asleep,
)

ROUNDS = 5000
SIGNALS = {"SIGUSR1": signal.SIGUSR1, "SIGRTMIN+5": signal.SIGRTMIN + 5}
RECORD = struct.Struct("qq")


def received(receiver: Running, number: int) -> int:
    """When the signal came; it has to be the next, so that none is lost, doubled or changed."""
    if not select.select([receiver.output], [], [], DEADLINE)[0]:
        raise TimeoutError(f"signal {number} does not arrive")
    came, at = RECORD.unpack(os.read(receiver.output, RECORD.size))
    if came != number:
        raise RuntimeError(f"signal {number} was sent, {came} came")
    return int(at)


def once(receiver: Running, number: int) -> float:
    sent = time.monotonic_ns()
    os.kill(receiver.pid, number)
    elapsed = received(receiver, number) - sent
    wait_until_asleep(receiver.pid)
    return elapsed / 1000


def measure(argvs: Shims, number: int) -> dict[str, list[float]]:
    with ExitStack() as stack:
        measures = {}
        for name, argv in argvs.items():
            receiver = stack.enter_context(running(argv))
            received(receiver, 0)
            wait_until_asleep(receiver.pid)
            measures[name] = partial(once, receiver, number)
        return in_turn(ROUNDS, 100, measures)


def report(shims: Shims) -> str:
    program = compiled("receiver")
    argvs = {BARE: [program], **{name: [*argv, program] for name, argv in shims.items()}}
    figures = {name: measure(argvs, number) for name, number in SIGNALS.items()}
    header = [""]
    for name in figures:
        header += [f"{name}, median µs", "p99 µs", "added, µs (95 %)", "x tini"]
    rows = []
    for shim in argvs:
        row = [shim]
        for times in figures.values():
            row += [f"{statistics.median(times[shim]):.1f}", f"{percentile(times[shim], 99):.0f}"]
            if shim == BARE:
                row += ["", ""]
            else:
                row += [added_median(times, shim), added_ratio(times, shim)]
        rows.append(row)
    return table(
        f"Signals through PID 1: {ROUNDS} of each kind, in turn; none lost, none doubled.",
        header,
        rows,
    )


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
