"""What fetching secrets adds to a start: whole runs of /bin/true with so many secrets, in turn
with none, against moto on loopback. How long moto itself takes to answer is in the figures,
and most of them.
"""

import json
import os
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from common import BARE, added_median, in_turn, table
from start import PROGRAM, whole

ROUNDS = 40
SERVERS = Path(__file__).parents[1] / "tests/process/programs/secret_servers.py"
SOURCES = {
    "Parameter Store": "aws-ssm:/app/p{:02}",
    "Secrets Manager": "aws-secretsmanager:prod/token",
}


@contextmanager
def servers(python: str) -> Iterator[dict[str, str]]:
    """The variables of a container that knows where they are."""
    process = subprocess.Popen(
        [python, str(SERVERS), "value"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        yield {
            "AWS_ENDPOINT_URL": ready["aws"],
            "AWS_ACCESS_KEY_ID": ready["key"],
            "AWS_SECRET_ACCESS_KEY": ready["secret"],
            "AWS_REGION": "eu-west-1",
        }
    finally:
        process.kill()
        process.communicate()


def run(argv: list[str], declared: dict[str, dict[str, str]]) -> float:
    os.environ["LYFTLEARN_RUNTIME_SECRETS"] = json.dumps(declared)
    try:
        return whole(argv)
    finally:
        del os.environ["LYFTLEARN_RUNTIME_SECRETS"]


def report(binary: str, python: str) -> str:
    argv = [binary, "run", "--", PROGRAM]
    measures = {BARE: partial(run, argv, {})}
    for name, source in SOURCES.items():
        for count in (1, 20):
            declared = {f"s{number}": {"from": source.format(number)} for number in range(count)}
            measures[f"{count} of {name}"] = partial(run, argv, declared)
    with servers(python) as variables:
        before = dict(os.environ)
        os.environ.update(variables)
        try:
            times = in_turn(ROUNDS, 3, measures)
        finally:
            os.environ.clear()
            os.environ.update(before)
    none = statistics.median(times[BARE])
    return table(
        f"Secrets: {ROUNDS} starts each in turn; without any {none / 1000:.1f} ms.",
        ["secrets", "added to a start, µs (95 %)"],
        [[name, added_median(times, name)] for name in measures if name != BARE],
    )
