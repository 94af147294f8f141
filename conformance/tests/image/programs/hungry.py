"""Take more memory than there is, here or in a `child`; then pass the failure on."""

import os
import sys


def eat() -> None:
    hoard = []
    while True:
        hoard.append(b"x" * (1 << 20))


def main(who: str) -> int:
    if who == "itself" or os.fork() == 0:
        eat()
    _, status = os.wait()
    print(f"a worker was lost: {os.waitstatus_to_exitcode(status)}", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
