"""What a shim adds to a start, and what it reads for it.

Before the program: from just before a shim, or a program without one, is spawned until the
program's first act (programs/leaver.c). The whole run: with /bin/true, until its end has
been waited for, so a shim's own end is in it. Both the median of the paired differences to
the bare program of the same round. All on one processor, so that a shim's work counts even
where another processor could do it meanwhile. Neither as PID 1 nor in a namespace: making
one would cost more than what is measured. Once with /run in memory, as run.sh has made it, and
once with /run on the disk that the binary is on.
"""

import os
import re
import signal
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from common import BARE, OURS, Shims, added_median, added_ratio, compiled, in_turn, table

ROUNDS = 1000
PROGRAM = "/bin/true"
# Python ignores these, and a program is to start as from a shell.
DEFAULTS = [signal.SIGPIPE, signal.SIGXFSZ]
STAMPS = struct.Struct("qq")


def whole(argv: list[str], *, quiet: bool = False) -> float:
    output = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)] if quiet else []
    start = time.monotonic_ns()
    pid = os.posix_spawn(argv[0], argv, os.environ, setsigdef=DEFAULTS, file_actions=output)
    wait(pid)
    return (time.monotonic_ns() - start) / 1000


def before(pipe: tuple[int, int], argv: list[str]) -> float:
    output = (os.POSIX_SPAWN_DUP2, pipe[1], 1)
    start = time.monotonic_ns()
    pid = os.posix_spawn(argv[0], argv, os.environ, setsigdef=DEFAULTS, file_actions=[output])
    wait(pid)
    first, _ = STAMPS.unpack(os.read(pipe[0], STAMPS.size))
    return float(first - start) / 1000


def wait(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise RuntimeError(f"a start ended with status {status}")


def against_bare(
    measure: Callable[[list[str]], float], shims: Shims, program: str
) -> dict[str, list[float]]:
    argvs = {BARE: [program], **{name: [*argv, program] for name, argv in shims.items()}}
    return in_turn(ROUNDS, 20, {name: partial(measure, argv) for name, argv in argvs.items()})


def opened(shim: list[str]) -> int:
    """Files opened by a shim, and its dynamic linker, before the program is there."""
    command = ["strace", "-f", "-e", "trace=open,openat,openat2,execve", *shim, PROGRAM]
    trace = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    calls, found, _ = trace.partition(f'execve("{PROGRAM}"')
    if not found:
        raise RuntimeError(f"{shim[0]} did not start {PROGRAM}")
    return len(re.findall(r"\bopen(?:at2?)?[( ].* = \d+$", calls, re.MULTILINE))


@contextmanager
def on_disk(binary: str) -> Iterator[str]:
    """A directory beside the binary at /run; its file system's type."""
    with tempfile.TemporaryDirectory(dir=Path(binary).parent) as place:
        subprocess.run(["mount", "--bind", place, "/run"], check=True)
        try:
            Path(tempfile.gettempdir()).mkdir(exist_ok=True)
            kind = ["stat", "--file-system", "--format", "%T", "/run"]
            yield subprocess.run(kind, check=True, capture_output=True, text=True).stdout.strip()
        finally:
            subprocess.run(["umount", "/run"], check=True)


def report(shims: Shims) -> str:
    tables = [measured(shims, "in memory")]
    with on_disk(shims[OURS][0]) as kind:
        tables.append(measured(shims, f"on a disk ({kind})"))
    return "\n\n".join(tables)


def measured(shims: Shims, run: str) -> str:
    starts = against_bare(partial(before, os.pipe()), shims, compiled("leaver"))
    runs = against_bare(whole, shims, PROGRAM)
    bare_start, bare_run = (statistics.median(times[BARE]) for times in (starts, runs))
    return table(
        f"Added to a start, /run {run}: {ROUNDS} starts each in turn; without a shim"
        f" {bare_start:.0f} µs before the program, {bare_run:.0f} µs for a whole run of {PROGRAM}.",
        [
            "",
            "before the program, µs (95 %)",
            "x tini",
            "whole run, µs (95 %)",
            "x tini",
            "files opened",
            "binary, kB",
        ],
        [
            [
                name,
                added_median(starts, name),
                added_ratio(starts, name),
                added_median(runs, name),
                added_ratio(runs, name),
                str(opened(argv)),
                f"{Path(argv[0]).stat().st_size / 1000:.0f}",
            ]
            for name, argv in shims.items()
        ],
    )
