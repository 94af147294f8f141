"""Take memory until the kernel kills the agent; then see that there is another."""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

SOCKET = Path(os.environ["LYFTLEARN_RUN_DIR"]) / "agent.sock"


def agent() -> int:
    """The process that answers now."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(20)
        asked.connect(str(SOCKET))
        with asked.makefile() as answer:
            return int(json.loads(answer.readline())["pid"])


def main() -> None:
    first = agent()
    # The kernel takes it before anybody else.
    Path(f"/proc/{first}/oom_score_adj").write_text("1000")
    hoard = []
    while Path(f"/proc/{first}").exists():
        hoard.append(b"x" * (1 << 18))
    hoard.clear()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError):
            if agent() != first:
                print("another agent answers", flush=True)
                return
    raise SystemExit("no agent has come back")


if __name__ == "__main__":
    main()
