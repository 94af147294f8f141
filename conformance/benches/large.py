"""What much configuration costs: variables and hyperparameters without the platforms' limits.

Before the program, as in start.py: the median of the paired differences to the bare
program, which is started without any of it. 50 MB of hyperparameters are one value, or
800,000. Beside them: a copy of the same document, which is the least that reading and
writing it can cost.

`snapshot` and `diff` in the same worlds are whole runs, and started by nobody while a
program waits: their own time counts, not what they add.
"""

import json
import os
import random
import shutil
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import start
from common import BARE, OURS, Shims, added, compiled, found, in_turn, median, table

CONFIG = "LYFTLEARN_RUNTIME_CONFIG_DIR"
COPY = "cp"


class World(NamedTuple):
    """What lies in the config directory."""

    title: str
    rounds: int
    config: Path


def worlds(below: Path) -> list[World]:
    draw = random.Random(1)
    variables = {f"FEATURE_{at:04}": f"{draw.random()}" for at in range(5_000)}
    value = {"weights": "0123456789abcdef" * (50_000_000 // 16)}
    values = {f"feature_{at:06}.weight.initial": f"{draw.random():.28f}" for at in range(800_000)}
    return [
        world(below, "nothing", 300, {}),
        world(below, "5,000 variables", 300, {"environment.json": variables}),
        world(below, "50 MB, one value", 30, {"hyperparameters.json": value}),
        world(below, "50 MB, 800,000 values", 20, {"hyperparameters.json": values}),
    ]


def world(below: Path, title: str, rounds: int, documents: dict[str, dict[str, str]]) -> World:
    config = below / title.replace(" ", "-").replace(",", "")
    config.mkdir()
    for name, document in documents.items():
        (config / name).write_text(json.dumps(document), encoding="utf-8")
    return World(title, rounds, config)


def within(config: Path, measure: Callable[[], float]) -> float:
    os.environ[CONFIG] = str(config)
    try:
        return measure()
    finally:
        del os.environ[CONFIG]


def copied(world: World) -> float:
    target = Path(tempfile.mkdtemp())
    try:
        (document,) = world.config.iterdir()
        return start.whole([found("cp"), str(document), str(target)])
    finally:
        shutil.rmtree(target)


def starts(shim: list[str], world: World, pipe: tuple[int, int], program: str) -> list[str]:
    measures = {
        BARE: partial(start.before, pipe, [program]),
        OURS: partial(within, world.config, partial(start.before, pipe, [*shim, program])),
    }
    if any(world.config.iterdir()):
        measures[COPY] = partial(copied, world)
    times = in_turn(world.rounds, 3, measures)
    copy = f"{statistics.median(times[COPY]) / 1000:.2f}" if COPY in times else "-"
    return [median([time / 1000 for time in added(times, OURS)], 2), copy]


def commands(binary: str, world: World, below: Path) -> list[str]:
    first, second = (str(below / name) for name in ("first.json", "second.json"))
    take = [binary, "snapshot", "--output"]
    for path in (first, second):
        within(world.config, partial(start.whole, [*take, path]))
    measures = {
        "snapshot": partial(within, world.config, partial(start.whole, [*take, first])),
        # It tells what it found.
        "diff": partial(start.whole, [binary, "diff", first, second], quiet=True),
    }
    times = in_turn(world.rounds, 3, measures)
    return [median([time / 1000 for time in times[name]], 2) for name in measures]


def report(shims: Shims) -> str:
    pipe, program = os.pipe(), compiled("leaver")
    shim = shims[OURS]
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        below = Path(directory)
        for one in worlds(below):
            figures = [*starts(shim, one, pipe, program), *commands(shim[0], one, below)]
            rows.append([one.title, *figures])
    return table(
        "Much configuration, in ms (95 %): added before the program; copying the document;"
        " a snapshot, and the diff of two.",
        ["", "added", "copy", "snapshot", "diff"],
        rows,
    )
