"""What the identity costs its callers, its source and the container: against an endpoint on
loopback, beside boto3 that asks that endpoint itself.

Times are those of a caller that sends the bytes of a request and reads the bytes of an answer,
so that no HTTP client is measured; boto3's are of a session that has none yet.
"""

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common import PROCESSORS, table
from rest import SPAN, memory, switches

ROUNDS = 2000
CALLERS = 64
CROWD = Path(__file__).parents[1] / "tests/identity/programs/crowd.py"
FIRST = (
    "import time, boto3; session = boto3.Session(); "
    "start = time.perf_counter(); session.get_credentials().get_frozen_credentials(); "
    "print(time.perf_counter() - start)"
)
# Prints its environment, and runs until its standard input is closed.
PROGRAM = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


class Source(ThreadingHTTPServer):
    """A platform's endpoint, which counts its questions."""

    daemon_threads = True
    request_queue_size = 128
    asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: Source
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        """Gives the same credentials to everybody."""
        self.server.asked += 1
        body = json.dumps(
            {
                "AccessKeyId": "ASIA000000000001",
                "SecretAccessKey": "none",
                "Token": "none",
                "Expiration": "2099-01-01T00:00:00Z",
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: stderr is the bench's."""


@contextmanager
def source() -> Iterator[tuple[Source, dict[str, str]]]:
    server = Source(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{server.server_port}/role"
    variables["AWS_REGION"] = "eu-west-1"
    try:
        yield server, variables
    finally:
        server.shutdown()


@contextmanager
def served(binary: str, python: str, variables: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A program's environment, and the agent that serves it."""
    command = [binary, "run", "--", python, "-c", PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=variables, stdin=pipe, stdout=pipe) as shim:
        assert shim.stdin and shim.stdout
        environment = json.loads(shim.stdout.readline())
        children = Path(f"/proc/{shim.pid}/task/{shim.pid}/children").read_text().split()
        commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
        agent = next(int(child) for child, words in commands.items() if b"--agent" in words)
        yield {"environment": environment, "agent": agent}
        shim.stdin.close()


def caller(variables: dict[str, str]) -> tuple[Callable[[], float], Callable[[], float]]:
    """A question on a connection that stays, and one on its own."""
    uri = urlsplit(variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    token = variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "none")
    head = f"GET {uri.path} HTTP/1.1\r\nHost: {uri.netloc}\r\nAuthorization: {token}\r\n\r\n"
    question = head.encode()
    address = (uri.hostname or "", uri.port or 0)

    def ask(connection: socket.socket) -> None:
        connection.sendall(question)
        answer = connection.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"}"), answer

    kept = socket.create_connection(address)
    kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def warm() -> float:
        start = time.perf_counter()
        ask(kept)
        return time.perf_counter() - start

    def cold() -> float:
        start = time.perf_counter()
        with socket.create_connection(address) as connection:
            ask(connection)
        return time.perf_counter() - start

    return warm, cold


def spread(times: list[float]) -> list[str]:
    """Half of them, and all but one in a hundred, in milliseconds."""
    ordered = sorted(times)
    ranks = (len(ordered) // 2, len(ordered) * 99 // 100)
    return [f"{ordered[rank] * 1000:.3f}" for rank in ranks]


def crowd(python: str, variables: dict[str, str], server: Source) -> str:
    before = server.asked
    command = [python, str(CROWD), "none", str(CALLERS)]
    subprocess.run(command, env=variables, stdout=subprocess.DEVNULL, check=True)
    return str(server.asked - before)


def first(python: str, variables: dict[str, str]) -> float:
    shown = subprocess.run([python, "-c", FIRST], env=variables, capture_output=True, check=True)
    return float(shown.stdout)


def report(binary: str, python: str) -> str:
    # A caller that waits for the agent on the one processor measures the scheduler.
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, PROCESSORS)
    try:
        return measured(binary, python)
    finally:
        os.sched_setaffinity(0, before)


def measured(binary: str, python: str) -> str:
    with source() as (server, native), served(binary, python, native) as ours:
        environment, agent = ours["environment"], ours["agent"]
        warm, cold = caller(environment)
        warm()
        loaded = server.asked
        rows = [["ours, one connection", *spread([warm() for _ in range(ROUNDS)])]]
        rows.append(["ours, a new one each time", *spread([cold() for _ in range(ROUNDS)])])
        rows.append(["boto3 by us", *spread([first(python, environment) for _ in range(20)])])
        rows.append(["boto3 by itself", *spread([first(python, native) for _ in range(20)])])
        questions = crowd(python, environment, server), crowd(python, native, server)
        count = switches(agent)
        time.sleep(SPAN)  # the span that is measured
        idle = switches(agent) - count
        sizes = memory(agent)
    latencies = table(
        f"Credentials: ms until they are there, {ROUNDS} times (boto3 20).",
        ["", "p50", "p99"],
        rows,
    )
    costs = table(
        f"Credentials: questions to their source for {CALLERS} processes that ask first, and the"
        f" agent at rest: kB, context switches in {SPAN} s.",
        ["", "questions", *sizes, "context switches"],
        [
            ["ours", f"{int(questions[0]) + loaded}", *map(str, sizes.values()), str(idle)],
            ["boto3 by itself", questions[1], *["-"] * len(sizes), "-"],
        ],
    )
    return f"{latencies}\n\n{costs}"
