"""Figures of a start against tini and catatonit in the same run, and of PID 1 at rest.

    start.py BINARY [PYTHON-WITH-THE-WHEEL WHEEL]

Whole processes, taken in turn (A B C D A B C D ...) so that a drifting machine
drifts for all; medians, and ratios of what is added to the bare program. Meant to
run in namespaces with a /run of their own (the Makefile's `bench` does so).
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = int(os.environ.get("RUNS", "400"))
BARE = ["/bin/true"]


def once(argv: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def in_turn(commands: dict[str, list[str]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round_ in range(RUNS + 20):
        for name, argv in commands.items():
            elapsed = once(argv)
            if round_ >= 20:
                times[name].append(elapsed)
    return times


def opened(binary: str) -> int:
    """Files opened by PID 1 before the program is there, by strace."""
    trace = subprocess.run(
        ["strace", "-e", "trace=open,openat,openat2", binary, "run", "--", *BARE],
        check=True,
        capture_output=True,
        text=True,
    ).stderr
    calls = [line for line in trace.splitlines() if line.startswith("open")]
    return sum(not line.rstrip().endswith(")") and "= -1" not in line for line in calls)


def at_rest(argv: list[str]) -> tuple[int, int, int, int]:
    """Resident, unique and dirty kB, and context switches in ten seconds."""
    process = subprocess.Popen([*argv, "/bin/sleep", "60"])
    try:
        own = Path(f"/proc/{process.pid}")
        children = own / f"task/{process.pid}/children"
        while not (started(children) and "sleeping" in (own / "status").read_text()):
            os.sched_yield()
        first = switches(own)
        time.sleep(10)  # the span that is measured
        idle = switches(own) - first
        rollup = dict(
            line.split(":", 1) for line in (own / "smaps_rollup").read_text().splitlines()[1:]
        )
        kilobytes = {name: int(value.split()[0]) for name, value in rollup.items()}
        unique = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
        return kilobytes["Rss"], unique, kilobytes["Private_Dirty"], idle
    finally:
        process.terminate()
        process.wait()


def started(children: Path) -> bool:
    """Whether the program has been executed: from then on a shim only waits."""
    pids = children.read_text().split()
    return bool(pids) and Path(f"/proc/{pids[0]}/comm").read_text() == "sleep\n"


def switches(process: Path) -> int:
    lines = (process / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def main(binary: str, python: str = "", wheel: str = "") -> None:
    peers = {
        "bare": BARE,
        "tini": ["tini", "-s", "--", *BARE],
        "catatonit": ["catatonit", "--", *BARE],
    }
    times = in_turn({**peers, "lyftlearn-runtime": [binary, "run", "--", *BARE]})
    medians = {name: statistics.median(values) for name, values in times.items()}
    added = {name: median - medians["bare"] for name, median in medians.items() if name != "bare"}
    print(f"start, {RUNS} runs each in turn: bare program {medians['bare']:.2f} ms; added by")
    for name, value in added.items():
        print(f"  {name:18} {value:5.2f} ms  {value / added['tini']:4.2f} x tini")
    print(f"files opened before exec: {opened(binary)}")
    print(f"binary: {Path(binary).stat().st_size / 1e6:.2f} MB")
    for name, argv in {
        "tini": ["tini", "-s", "--"],
        "lyftlearn-runtime": [binary, "run", "--"],
    }.items():
        resident, unique, dirty, idle = at_rest(argv)
        print(
            f"PID 1 at rest, {name}: RSS {resident} kB, USS {unique} kB"
            f" ({dirty} kB of it dirty), {idle} context switches in 10 s"
        )
    if python and wheel:
        print(f"wheel: {Path(wheel).stat().st_size / 1e6:.2f} MB")
        imports = in_turn(
            {
                "pass": [python, "-c", "pass"],
                "import": [python, "-c", "import lyftlearn_runtime"],
            }
        )
        bare, imported = (statistics.median(imports[name]) for name in ("pass", "import"))
        print(f"import: {imported - bare:.2f} ms over {bare:.2f} ms of Python's own")


if __name__ == "__main__":
    main(sys.argv[1], *sys.argv[2:4])
