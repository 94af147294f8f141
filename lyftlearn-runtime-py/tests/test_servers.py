"""Real servers, which own SIGTERM, and the callbacks of what they serve."""

import os
import socket
import sys
import time
from pathlib import Path

import pytest
from programs import DEADLINE, Program, started

APP = """
import os, signal, sys, threading, time
import lyftlearn_runtime as rt

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

owner = signal.getsignal(signal.SIGTERM)

@rt.on_shutdown
def callback():
    say("callback", os.getpid(), threading.current_thread().name)
    open("callback", "w").close()

"""
WSGI = """
say("loaded", os.getpid())

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(rt.shutdown.requested).encode()]
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            say("loaded", os.getpid())
            await send({"type": "lifespan.startup.complete"})
        say("lifespan ends")
        await send({"type": "lifespan.shutdown.complete"})
        return
    say("request")
    # The server's graceful end waits for this, and this for the callback.
    if scope["path"] == "/wait":
        assert await rt.shutdown.wait_async()
    while scope["path"] != "/now" and not os.path.exists("callback"):
        await asyncio.sleep(0.001)
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"served"})

import asyncio
"""


def gunicorn(directory: Path, *options: str) -> list[str]:
    (directory / "app.py").write_text(APP + WSGI)
    command = [sys.executable, "-m", "gunicorn", "--bind", "unix:socket", "--workers", "2"]
    # gunicorn 23 writes its log in its SIGCHLD handler, and stumbles over a second child
    # that ends meanwhile.
    return [*command, "--log-level", "critical", *options, "app:app"]


def workers(program: Program, count: int) -> set[str]:
    """The processes that have loaded the application."""
    return {program.until("loaded")[-1].split()[1] for _ in range(count)}


def request(directory: Path, path: str) -> socket.socket:
    """A request that is on its way; the socket may not listen yet."""
    client = socket.socket(socket.AF_UNIX)
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            client.connect(os.path.relpath(directory / "socket"))
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    return client


def answer(client: socket.socket) -> str:
    client.settimeout(DEADLINE)
    with client, client.makefile() as lines:
        return lines.read()


ENVIRON = {"PYTHONWARNINGS": "default"}


def test_gunicorns_workers_run_their_callbacks_and_all_end_well(tmp_path: Path) -> None:
    with started(tmp_path, command=gunicorn(tmp_path), environ=ENVIRON) as program:
        pids = workers(program, 2)
        assert "False" in answer(request(tmp_path, "/"))
        program.stop()
        returncode, lines = program.end()
    assert returncode == 0, program.stderr
    assert {line.split()[1] for line in lines} == pids
    assert len(lines) == 2, lines
    assert all(line.endswith(("lyftlearn-shutdown", "MainThread")) for line in lines)


def test_gunicorn_without_pid_1_runs_them_too(tmp_path: Path) -> None:
    command = gunicorn(tmp_path)
    with started(tmp_path, command=command, environ=ENVIRON, supervised=False) as program:
        pids = workers(program, 2)
        answer(request(tmp_path, "/"))
        program.term()
        returncode, lines = program.end()
    assert returncode == 0, program.stderr
    assert {line.split()[1] for line in lines} == pids


def test_gunicorn_that_loads_before_it_forks_runs_them_once(tmp_path: Path) -> None:
    command = gunicorn(tmp_path, "--preload")
    with started(tmp_path, command=command, environ=ENVIRON) as program:
        assert workers(program, 1) == {str(program.process.pid)}
        assert "False" in answer(request(tmp_path, "/"))
        program.stop()
        returncode, lines = program.end()
    assert returncode == 0, program.stderr
    assert [line.split()[:2] for line in lines] == [["callback", str(program.process.pid)]]


def test_a_worker_that_gunicorn_replaces_is_no_stop(tmp_path: Path) -> None:
    with started(tmp_path, command=gunicorn(tmp_path), environ=ENVIRON) as program:
        workers(program, 2)
        program.process.send_signal(1)
        pids = workers(program, 2)
        program.stop()
        returncode, lines = program.end()
    assert returncode == 0, program.stderr
    assert pids <= {line.split()[1] for line in lines}


@pytest.mark.parametrize(("path", "expected"), [("/", 143), ("/wait", 0)])
def test_uvicorns_command_line_ends_well_and_the_callback_runs(
    tmp_path: Path, path: str, expected: int
) -> None:
    (tmp_path / "app.py").write_text(APP + ASGI)
    command = [sys.executable, "-m", "uvicorn", "--no-access-log", "--uds", "socket", "app:app"]
    with started(tmp_path, command=command, environ=ENVIRON) as program:
        workers(program, 1)
        slow = request(tmp_path, path)
        program.until("request")
        program.stop()
        assert "served" in answer(slow)
        returncode, lines = program.end()
    assert lines == [f"callback {program.process.pid} lyftlearn-shutdown", "lifespan ends"]
    # uvicorn raises the signal again when it is done. That ends a program, unless it has
    # looked at rt.shutdown and ends itself.
    assert returncode == expected, program.stderr


@pytest.mark.parametrize("supervised", [True, False], ids=["run", "nobody"])
def test_uvicorn_in_a_script_ends_in_our_handler(tmp_path: Path, supervised: bool) -> None:
    code = (
        "\nimport uvicorn\nuvicorn.run(app, uds='socket', access_log=False)\nsay('after uvicorn')\n"
    )
    (tmp_path / "script.py").write_text(APP + ASGI + code)
    command = [sys.executable, "script.py"]
    with started(tmp_path, command=command, environ=ENVIRON, supervised=supervised) as program:
        workers(program, 1)
        assert "served" in answer(request(tmp_path, "/now"))
        program.until("request")
        if supervised:
            program.ask()
            program.until("callback")
        program.term()
        returncode, lines = program.end()
    # Without a word of PID 1 the callback comes when uvicorn is done.
    callback = [] if supervised else [f"callback {program.process.pid} MainThread"]
    assert lines == ["lifespan ends", *callback]
    assert returncode == 143, program.stderr


def test_uvicorns_workers_run_their_callbacks(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP + ASGI)
    command = [sys.executable, "-m", "uvicorn", "--uds", "socket", "--workers", "2", "app:app"]
    with started(tmp_path, command=command, environ=ENVIRON) as program:
        pids = workers(program, 2)
        program.ask()
        seen = program.until("callback") + program.until("callback")
        program.term()
        returncode, _ = program.end()
    assert {line.split()[1] for line in seen} == pids
    assert returncode == 0, program.stderr
