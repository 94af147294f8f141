"""Train until told to stop, then write a checkpoint, which takes so many SECONDS."""

import os
import signal
import sys
import time
from pathlib import Path


def write_checkpoint(seconds: float) -> None:
    directory = Path(os.environ["LYFTLEARN_CHECKPOINT_DIR"])
    draft = directory / "checkpoint.part"
    end = time.monotonic() + seconds
    with draft.open("wb") as file:
        while time.monotonic() < end:
            file.write(bytes(1024))
            time.sleep(0.1)
    draft.rename(directory / "checkpoint")


def main(seconds: float) -> None:
    stop = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    print("training", flush=True)
    signal.sigwait(stop)
    write_checkpoint(seconds)
    print("checkpoint written", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
