"""How fast PID 1 reaps 10,000 orphans, and whether it leaves a zombie.

In a PID namespace of each shim's own, programs/orphans.c makes them and sees each of
their pids vanish. As a stream, from the first fork: nearly all of the time is the forking,
so what PID 1 itself took is shown beside it. As a burst, from the end of the parent of
10,000 that have all ended: the kernel's handing over and the reaping alone. All on one
processor, so that PID 1 competes with its program as in a small container. Zombies are
counted in /proc when the pids have vanished: the largest number of all rounds.
"""

import statistics
import subprocess
from functools import partial
from typing import NamedTuple

from common import AS_PID_1, REFERENCE, Shims, compiled, in_turn, median, table

ROUNDS = 9
COUNT = 10_000


class Seen(NamedTuple):
    """What each orphan cost PID 1 itself, and how many zombies were left, in each round."""

    own: list[float]
    zombies: list[int]


def once(argv: list[str], seen: Seen) -> float:
    command = [*AS_PID_1, *argv, str(COUNT)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout
    elapsed, own, zombies = map(int, output.split())
    seen.own.append(own / COUNT / 1000)
    seen.zombies.append(zombies)
    return elapsed / 1e6


def report(shims: Shims) -> str:
    program = compiled("orphans")
    header = [""]
    rows = {name: [name] for name in shims}
    zombies = dict.fromkeys(shims, 0)
    for kind in ("stream", "burst"):
        seen = {name: Seen([], []) for name in shims}
        measures = {
            name: partial(once, [*argv, program, kind], seen[name]) for name, argv in shims.items()
        }
        times = in_turn(ROUNDS, 1, measures)
        header += [f"{kind}, ms", "per s", "x tini (95 %)", "PID 1's own µs each"]
        for name in shims:
            middle = statistics.median(times[name])
            # Round by round: a machine busy elsewhere is so for neighbours alike.
            rates = [theirs / own for theirs, own in zip(times[REFERENCE], times[name])]
            rows[name] += [
                f"{middle:.1f}",
                f"{COUNT / middle * 1000:,.0f}",
                median(rates, 2),
                f"{statistics.median(seen[name].own):.2f}",
            ]
            zombies[name] = max(zombies[name], *seen[name].zombies)
    header.append("zombies left")
    for name, row in rows.items():
        row.append(str(zombies[name]))
    return table(
        f"{COUNT:,} orphans below PID 1: medians of {ROUNDS} rounds in turn;"
        " x tini is the ratio of rates.",
        header,
        list(rows.values()),
    )
