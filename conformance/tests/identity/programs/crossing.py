"""Takes clients across the end of the key that they hold, each as one process that lives on:
`crossing.py ENDPOINT CLIENT…`, all at once. What fails is told on stderr, by name.
"""

import subprocess
import sys
import tempfile
import threading
import urllib.request

import read

# Seconds for a client to start, to be asked, and to end.
PATIENCE = 90
# A part of an upload, for those that know no smaller.
PART = bytes(8 << 20)

endpoint, *names = sys.argv[1:]
failed: list[str] = []


def program(name: str) -> tuple[list[str], bytes]:
    """One that asks S3 for something whenever it is fed, and with what."""
    target = f"s3://{read.BUCKET}/{name}.csv"
    if name in ("aws-cli-1", "aws-cli-2"):
        aws, *_ = read.command(name, endpoint)
        options = ["--endpoint-url", endpoint, "--region", read.REGION]
        return [aws, "s3", "cp", "-", target, *options], PART
    if name == "rclone":
        *rclone, _, source = read.command(name, endpoint)
        return [*rclone, "--s3-no-check-bucket", "rcat", source], PART
    if name == "s5cmd":
        *s5cmd, _, source = read.command(name, endpoint)
        return [*s5cmd, "run"], f"cat {source}\n".encode()
    if name == "javascript" or name.startswith(("go", "rust")):
        return [*read.command(name, endpoint), "each"], b"\n"
    return [sys.executable, "-B", read.__file__, endpoint, "--each", name], b"\n"


def watch(name: str, what: str) -> None:
    urllib.request.urlopen(f"{endpoint}/watch/{name}/{what}", timeout=PATIENCE).read()


def cross(name: str) -> None:
    argv, food = program(name)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            process.stdin.write(food)
            process.stdin.flush()
            watch(name, "come")
            watch(name, "over")
            # The same process, the same client in it.
            process.communicate(food, timeout=PATIENCE)
        except (OSError, subprocess.TimeoutExpired) as error:
            process.kill()
            process.wait()
            failed.append(f"{name}: {error!r}")
        if process.returncode:
            said.seek(0)
            failed.append(f"{name}: {process.returncode}\n{said.read()[-2000:].decode()}")


threads = [threading.Thread(target=cross, args=(name,)) for name in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for failure in failed:
    print(failure, file=sys.stderr)
raise SystemExit(bool(failed))
