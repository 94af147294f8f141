"""Take memory until the kernel kills the agent; then see that there is another."""

import json
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

SOCKET = Path(os.environ["LYFTLEARN_RUN_DIR"]) / "agent.sock"
# Files there count as the container's memory, and no process can be killed for them.
HOARD = Path("/dev/shm/hoard")


def agent() -> int:
    """The process that answers now."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(120)
        asked.connect(str(SOCKET))
        with asked.makefile() as answer:
            return int(json.loads(answer.readline())["pid"])


def sacrifice() -> int:
    """A process for the kernel to kill where it wants more than the agent: the next agent starts
    while memory is short, and this program would be the largest."""
    ready, told = os.pipe()
    process = os.fork()
    if process == 0:
        Path("/proc/self/oom_score_adj").write_text("999")
        held = bytearray(os.urandom(1 << 16)) * 256
        os.write(told, b"!")
        signal.pause()
        os._exit(len(held) % 2)
    os.read(ready, 1)
    return process


def lives(process: int) -> bool:
    """Whether it has not been killed yet."""
    with suppress(OSError):
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    return False


def main() -> None:
    other = sacrifice()
    first = agent()
    # The kernel takes it before anybody else.
    Path(f"/proc/{first}/oom_score_adj").write_text("1000")
    with HOARD.open("wb", buffering=0) as hoard:
        while lives(first):
            hoard.write(bytes(1 << 16))
            # The killed process must end before there is free memory.
            time.sleep(0.001)
    HOARD.unlink()
    os.kill(other, signal.SIGKILL)
    os.waitpid(other, 0)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError):
            if agent() != first:
                print("another agent answers", flush=True)
                return
    raise SystemExit("no agent has come back")


if __name__ == "__main__":
    main()
