"""What job state events add to a start and to an exit: whole runs with each kind of destination,
in turn with a run without one, which has an agent, too. The servers are on loopback: moto in the
place of AWS, with signatures checked, and an endpoint for CloudEvents. Their time to answer is in
the figures. Next to them a setting of events without a destination: what any setting costs.

The start is from just before the runtime is spawned until the program's first act. The rest is
from the program's last act until the runtime has ended: the agent's start, its end, and the
helper that sends the last event.
"""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from common import BARE, compiled, in_turn, median, table
from start import DEFAULTS, STAMPS, wait

ROUNDS = 200
SERVERS = Path(__file__).parents[1] / "tests/process/programs/event_servers.py"


def setting(name: str, value: str) -> dict[str, str]:
    return {f"LYFTLEARN_RUNTIME_EVENTS_{name}": json.dumps([value])}


@contextmanager
def servers(python: str) -> Iterator[tuple[dict[str, dict[str, str]], dict[str, str]]]:
    """The settings of each kind of destination, and the variables of a container."""
    process = subprocess.Popen(
        [python, str(SERVERS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdin and process.stdout
        ready = json.loads(process.stdout.readline())
        process.stdin.write(json.dumps({"between": [{"status": 200}]}) + "\n")
        process.stdin.flush()
        sink = json.loads(process.stdout.readline())
        job = ready["identities"]["job"]
        yield (
            {
                "none, one setting": setting("TAGS", "platform_job=8812"),
                "a file": setting("TO", "file:/run/bench/events"),
                "CloudEvents": setting("TO", f"http://127.0.0.1:{sink}/"),
                "SQS": setting("TO", f"sqs:{ready['queues']['direct']}"),
                "EventBridge": setting("TO", "eventbridge:ml"),
            },
            {
                "AWS_ENDPOINT_URL": ready["aws"],
                "AWS_ACCESS_KEY_ID": job["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": job["SecretAccessKey"],
                "AWS_SESSION_TOKEN": job["SessionToken"],
                "AWS_REGION": "eu-west-1",
            },
        )
    finally:
        process.kill()
        process.communicate()


def run(
    pipe: tuple[int, int],
    argv: list[str],
    settings: dict[str, str],
    starts: dict[str, list[float]],
    name: str,
) -> float:
    """The time after the program's last act; the time before its first one is kept in `starts`."""
    variables = {
        **os.environ,
        "LYFTLEARN_RUNTIME_ROLE": "training",
        "LYFTLEARN_RUNTIME_JOB_NAME": "bench",
        # As in every pod.
        "LYFTLEARN_RUNTIME_AGENT": "on",
        **settings,
    }
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, pipe[1], 1),
    ]
    begun = time.monotonic_ns()
    wait(os.posix_spawn(argv[0], argv, variables, setsigdef=DEFAULTS, file_actions=files))
    ended = time.monotonic_ns()
    first, last = STAMPS.unpack(os.read(pipe[0], STAMPS.size))
    starts.setdefault(name, []).append((first - begun) / 1000)
    return float(ended - last) / 1000


def report(binary: str, python: str) -> str:
    argv = [binary, "run", "--", compiled("leaver")]
    pipe = os.pipe()
    starts: dict[str, list[float]] = {}
    with servers(python) as (destinations, variables):
        before = dict(os.environ)
        os.environ.update(variables)
        try:
            named = {BARE: {}, **destinations}
            measures = {
                name: partial(run, pipe, argv, settings, starts, name)
                for name, settings in named.items()
            }
            exits = in_turn(ROUNDS, 3, measures)
        finally:
            os.environ.clear()
            os.environ.update(before)
    rows = []
    for name in destinations:
        start = [with_ - none for with_, none in zip(starts[name], starts[BARE])]
        exit_ = [(with_ - none) / 1000 for with_, none in zip(exits[name], exits[BARE])]
        slowest = statistics.quantiles(exit_, n=100)[98]
        rows.append([name, median(start, 0), median(exit_, 1), f"{slowest:.1f}"])
    without = statistics.median(exits[BARE]) / 1000
    return table(
        f"Job events: {ROUNDS} runs each in turn; without any {without:.1f} ms after the program.",
        ["destination", "added to a start, µs (95 %)", "to an exit, ms (95 %)", "p99, ms"],
        rows,
    )
