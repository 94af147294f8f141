"""Containers one after another, each a PID namespace with its own /proc: making a whole
sandbox for each of hundreds of starts would take minutes. Runs as PID 1 of a sandbox.
"""

import contextlib
import ctypes
import os
import select
import signal
import time
from typing import NoReturn

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
SECONDS = 20
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "no namespace")


class Container:
    """A program as PID 1."""

    def __init__(self, argv: list[str]) -> None:
        """Returns when PID 1 has become the program, and not before."""
        pid, pid_sent = os.pipe()
        self.output, output = os.pipe()
        # A namespace is for the children of its maker, once only.
        self.maker = os.fork()
        if self.maker == 0:
            os.close(self.output)
            make(argv, pid_sent, output)
        os.close(pid_sent)
        os.close(output)
        with os.fdopen(pid, "rb") as answer:
            self.pid = int(answer.read())
        self.started = time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def armed(self) -> bool:
        """Whether PID 1 blocks SIGTERM: until then the kernel drops what comes."""
        try:
            with open(f"/proc/{self.pid}/status", "rb") as status:
                lines = dict(line.split(b":", 1) for line in status)
        except (FileNotFoundError, ProcessLookupError):
            # It was, has been told, and has ended.
            return True
        blocked, caught = (int(lines[name], 16) for name in (b"SigBlk", b"SigCgt"))
        # While it waits for signals they show as unblocked; by then it catches SIGCHLD.
        return bool(blocked >> (signal.SIGTERM - 1) & 1 or caught >> (signal.SIGCHLD - 1) & 1)

    def signal(self, number: int) -> None:
        # It may have ended of the one before.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def says(self, text: bytes) -> bytes:
        """Waits until it has said that, or all of it has ended."""
        said = b""
        while text not in said and self.has_more():
            more = os.read(self.output, 4096)
            if not more:
                break
            said += more
        return said

    def has_more(self) -> bool:
        if select.select([self.output], [], [], SECONDS)[0]:
            return True
        self.signal(signal.SIGKILL)
        raise TimeoutError(f"silence, {self.elapsed():.6f} s after the start")

    def end(self) -> tuple[int, bytes]:
        """Its exit code, and what it still said."""
        said = b""
        while self.has_more():
            more = os.read(self.output, 4096)
            if not more:
                break
            said += more
        os.close(self.output)
        _, status = os.waitpid(self.maker, 0)
        return os.waitstatus_to_exitcode(status), said


def make(argv: list[str], pid_sent: int, output: int) -> NoReturn:
    checked(LIBC.unshare(CLONE_NEWPID | CLONE_NEWNS))
    executed, executing = os.pipe()
    first = os.fork()
    if first == 0:
        checked(LIBC.mount(b"proc", b"/proc", b"proc", 0, None))
        os.dup2(output, 1)
        for changed in signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ:
            signal.signal(changed, signal.SIG_DFL)
        os.execv(argv[0], argv)
    # Its other end closes at exec.
    os.close(executing)
    os.close(output)
    os.read(executed, 1)
    os.write(pid_sent, str(first).encode())
    os.close(pid_sent)
    _, status = os.waitpid(first, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 255)
