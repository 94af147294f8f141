"""Fuzz targets guided by the code that they reach.

libFuzzer, which bolero brings along, keeps each input that reaches new code and changes the
kept ones. Its coverage needs LLVM's pass for it, which stable Rust has; its sanitizers would
need a nightly one, and the product has little unsafe code for them to look at.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CRATE = ROOT / "lyftlearn-runtime"
# What cargo-bolero 0.13.4 sets for its engine `libfuzzer` without a sanitizer.
COVERAGE = [
    *("--cfg", "fuzzing"),
    *("--cfg", "fuzzing_libfuzzer"),
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-stack-depth",
]
# An input that takes so many seconds is a failure, also on a busy machine, and so is a process of
# so many MiB.
SLOW = 300
LARGE = 2048
LAST_LINES = 40


@dataclass
class Target:
    """A test, what `cargo test` runs it on, and what runs of this checkout found worth keeping."""

    name: str
    kept: Path
    found: Path


def build(output: Path) -> Path:
    """The test binary with coverage; with `--target`, so that build scripts have none."""
    host = subprocess.run(
        ["rustc", "--print", "host-tuple"], check=True, capture_output=True, text=True
    ).stdout.strip()
    command = ["cargo", "test", "--locked", "--profile", "fuzz", "-p", "lyftlearn-runtime"]
    command += ["--lib", "--no-run", "--target", host, "--target-dir", str(output)]
    environment = os.environ | {
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(COVERAGE),
        "BOLERO_FUZZER": "libfuzzer",
    }
    built = subprocess.run(
        [*command, "--message-format", "json-render-diagnostics"],
        check=False,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    if built.returncode != 0:
        sys.exit("fuzz: the build failed")
    messages = map(json.loads, built.stdout.splitlines())
    executables = [found for message in messages if (found := message.get("executable"))]
    return Path(executables[-1])


def targets(binary: Path, part: str, corpus: Path) -> list[Target]:
    listed = subprocess.run(
        [binary, "fuzz_", "--nocapture", "--test-threads", "1"],
        check=True,
        cwd=CRATE,
        env=os.environ | {"CARGO_BOLERO_SELECT": "all"},
        capture_output=True,
        text=True,
    ).stdout
    lines = [line for line in listed.splitlines() if line.startswith('{"__bolero_target"')]
    every = map(json.loads, lines)
    return [
        Target(one["test_name"], Path(one["work_dir"]), corpus / one["test_name"])
        for one in every
        if part in one["test_name"]
    ]


def fuzz(binary: Path, target: Target, seconds: int, say: Callable[[str], None]) -> bool:
    """Whether no input failed."""
    failed = target.kept / "crashes"
    for directory in (target.found, failed):
        directory.mkdir(parents=True, exist_ok=True)
    inputs = [target.found, failed, *([kept] if (kept := target.kept / "corpus").exists() else [])]
    engine = [
        *map(str, inputs),
        f"-max_total_time={seconds}",
        f"-artifact_prefix={failed}/",
        f"-timeout={SLOW}",
        f"-report_slow_units={SLOW}",
        f"-rss_limit_mb={LARGE}",
        "-print_final_stats=1",
    ]
    ended = subprocess.run(
        [binary, target.name, "--exact", "--nocapture", "--quiet", "--test-threads", "1"],
        check=False,
        cwd=CRATE,
        env=os.environ
        | {
            "BOLERO_TEST_NAME": target.name,
            "BOLERO_LIBTEST_HARNESS": "1",
            "BOLERO_LIBFUZZER_ARGS": " ".join(engine),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = ended.stdout.decode(errors="replace")
    if not any(failed.iterdir()):
        failed.rmdir()
    if ended.returncode != 0:
        last = "\n".join(output.splitlines()[-LAST_LINES:])
        say(f"{target.name}: FAILED\n{last}\nIts input is in {failed}; cargo test runs it again.")
        return False
    tried = re.search(r"number_of_executed_units: (\d+)", output)
    covered = re.findall(r"cov: (\d+) ft: \d+ corp: (\d+)", output)
    if tried is None or not covered:
        say(f"{target.name}: FAILED: no count of inputs in the output of libFuzzer\n{output}")
        return False
    places, kept = covered[-1]
    say(f"{target.name}: {int(tried[1]):,} inputs, {places} places reached, {kept} inputs kept")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", default="", help="a part of the targets' names")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument("--output", type=Path, default=ROOT / "target" / "fuzzing")
    chosen = parser.parse_args()
    output = chosen.output.resolve()
    binary = build(output)
    every = targets(binary, chosen.target, output / "corpus")
    if not every:
        sys.exit(f'fuzz: no target has "{chosen.target}" in its name')
    start = time.monotonic()
    lock = threading.Lock()

    def say(what: str) -> None:
        with lock:
            print(f"{time.monotonic() - start:6.0f} s  {what}", flush=True)

    say(f"{len(every)} targets, {chosen.seconds} s each, {chosen.jobs} at a time")
    with ThreadPoolExecutor(chosen.jobs) as pool:
        passed = pool.map(lambda target: fuzz(binary, target, chosen.seconds, say), every)
        if not all(list(passed)):
            sys.exit(1)


if __name__ == "__main__":
    main()
