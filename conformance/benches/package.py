"""The wheel's size, and what its import adds to a start of Python.

Whole processes of Python with and without the import, in turn; the median of the paired
differences, as in start.py.
"""

import statistics
from functools import partial
from pathlib import Path

from common import BARE, added_median, in_turn, table
from start import whole

ROUNDS = 200


def report(python: str, wheel: str) -> str:
    imported = "import lyftlearn_runtime"
    measures = {
        BARE: partial(whole, [python, "-c", "pass"]),
        imported: partial(whole, [python, "-c", imported]),
    }
    times = in_turn(ROUNDS, 5, measures)
    bare = statistics.median(times[BARE])
    return table(
        f"The wheel: {ROUNDS} imports in turn with none; Python alone takes {bare / 1000:.1f} ms.",
        ["", "size, kB", "added by the import, µs (95 %)"],
        [
            [
                "lyftlearn_runtime",
                f"{Path(wheel).stat().st_size / 1000:.0f}",
                added_median(times, imported),
            ]
        ],
    )
