"""Programs of their own, with PID 1's hand on them: told by shutdown.json, then by TERM."""

import json
import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Optional

DEADLINE = 120.0

PRELUDE = """
import atexit, os, signal, sys, threading, time
import lyftlearn_runtime as rt

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def callback(name):
    def run():
        say(name, "in", threading.current_thread().name)
    return run

"""


class Program:
    """A process in a session of its own. Its lines come through `until` and `end`."""

    def __init__(
        self, directory: Path, command: list[str], supervised: bool, environ: Mapping[str, str]
    ) -> None:
        self.run_dir = directory / "run"
        self.run_dir.mkdir(mode=0o700)
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        told = {"LYFTLEARN_RUN_DIR": str(self.run_dir)} if supervised else {}
        self.process = subprocess.Popen(
            command,
            env={**kept, "HOME": str(directory), "PYTHONWARNINGS": "error", **told, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            text=True,
            start_new_session=True,
        )
        self.lines: queue.Queue[Optional[str]] = queue.Queue()
        self.errors: list[str] = []
        self.readers = [
            threading.Thread(target=self._read_lines, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)

    @property
    def stderr(self) -> str:
        return "".join(self.errors)

    def until(self, expected: str) -> list[str]:
        """Waits for a line that begins so, and returns those up to it."""
        seen: list[str] = []
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"no {expected!r} in {seen}; {self.stderr}"
            seen.append(line)
            if line.startswith(expected):
                return seen

    def until_error(self, expected: str) -> None:
        """Waits for a text on stderr."""
        deadline = time.monotonic() + DEADLINE
        while expected not in self.stderr:
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.01)

    def until_held(self) -> None:
        """Waits until the process has a handler for SIGTERM."""
        deadline = time.monotonic() + DEADLINE
        status = Path(f"/proc/{self.process.pid}/status")
        while not int(status.read_text().split("SigCgt:")[1].split()[0], 16) >> 14 & 1:
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.001)

    def until_in_the_kernel(self, argument: str) -> None:
        """Waits until the main thread is in a system call with this argument."""
        deadline = time.monotonic() + DEADLINE
        call = Path(f"/proc/{self.process.pid}/syscall")
        while argument not in call.read_text().split():
            assert time.monotonic() < deadline, self.stderr
            time.sleep(0.001)

    def ask(self, grace: float = 100.0, signal_name: str = "SIGTERM") -> None:
        """What PID 1 writes when it is asked to stop."""
        now = time.monotonic()
        document = {"signal": signal_name, "requested": now, "deadline": now + grace}
        self.write(json.dumps(document))

    def write(self, text: str) -> None:
        temporary = self.run_dir / ".shutdown.json"
        temporary.write_text(text)
        temporary.rename(self.run_dir / "shutdown.json")

    def term(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        self.ask()
        self.term()

    def end(self) -> tuple[int, list[str]]:
        """The exit code, and what was said meanwhile."""
        code = self.process.wait(DEADLINE)
        for reader in self.readers:
            reader.join(DEADLINE)
        lines: list[str] = []
        while True:
            line = self.lines.get(timeout=DEADLINE)
            if line is None:
                return code, lines
            lines.append(line)

    def close(self) -> None:
        """Nothing of it is left, whatever has become of the test."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)
        for reader in self.readers:
            reader.join(DEADLINE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def started(
    directory: Path,
    code: str = "",
    command: Optional[list[str]] = None,
    supervised: bool = True,
    environ: Mapping[str, str] = {},
) -> Iterator[Program]:
    """A program of this Python, or another command."""
    if command is None:
        script = directory / "program.py"
        script.write_text(PRELUDE + textwrap.dedent(code))
        command = [sys.executable, "-W", "error", str(script)]
    program = Program(directory, command, supervised, environ)
    try:
        yield program
    finally:
        program.close()
