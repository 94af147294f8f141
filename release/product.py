"""What is released: one version, two processors, one moment; and where it is put."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TITLE = "lyftlearn-runtime"
SUMMARY = "One view of an ML workload, whichever platform started its container"
AUTHORS = "The lyftlearn-runtime authors"
LICENCE = "Apache-2.0"
# What to do where a tool is missing.
TOOLS = "run release/tools.sh requirements.txt"


class ReleaseError(Exception):
    """What failed and why; and what to do, if anything is known."""

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True)
class Processor:
    """`name` is spelled as Rust, wheels and the kernel do; `debian` as Debian and OCI do."""

    name: str
    debian: str

    @property
    def static(self) -> str:
        """The Rust target of static binaries, and of wheels for musl."""
        return f"{self.name}-unknown-linux-musl"

    @property
    def glibc(self) -> str:
        """The Rust target of wheels for glibc."""
        return f"{self.name}-unknown-linux-gnu"


PROCESSORS = (Processor("x86_64", "amd64"), Processor("aarch64", "arm64"))


def this_machine() -> Processor:
    """The processor that this program runs on."""
    for processor in PROCESSORS:
        if processor.name == platform.machine():
            return processor
    raise ReleaseError(f"cannot build on a {platform.machine()} processor")


def say(line: str) -> None:
    """Progress, on standard error."""
    print(f"release: {line}", file=sys.stderr, flush=True)


def output(command: list[str], **environment: str) -> str:
    """The standard output of `command` in the checkout."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
    except FileNotFoundError:
        raise ReleaseError(f"cannot run {command[0]}: it is not installed") from None
    except subprocess.CalledProcessError as failed:
        words = " ".join(map(str, command))
        raise ReleaseError(f"`{words}` failed with exit code {failed.returncode}") from None
    return done.stdout


@cache
def workspace() -> dict[str, object]:
    """`cargo metadata` of the workspace alone."""
    found: dict[str, object] = json.loads(
        output(["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"])
    )
    return found


def version() -> str:
    """The workspace's, of which Cargo.toml has the only copy."""
    packages = workspace()["packages"]
    assert isinstance(packages, list)
    versions = {str(package["version"]) for package in packages}
    if len(versions) != 1:
        raise ReleaseError(
            f"the crates have several versions: {', '.join(sorted(versions))}",
            "write version.workspace = true into each Cargo.toml",
        )
    return versions.pop()


def rust() -> str:
    """The compiler that releases are built with, by number."""
    metadata = workspace()["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["release"]["rust"])


@cache
def moment() -> int:
    """SOURCE_DATE_EPOCH, else the time of the last commit: the only time in an artefact."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        given = output(["git", "log", "-1", "--format=%ct"]).strip()
    if not given.isdecimal():
        raise ReleaseError(
            "cannot use SOURCE_DATE_EPOCH: not a whole number of seconds",
            "unset it, and the time of the last commit is used",
        )
    return int(given)


def commit() -> str:
    """The last commit, with `-modified` when the checkout has changes of its own."""
    name = output(["git", "rev-parse", "HEAD"]).strip()
    changed = output(["git", "status", "--porcelain", "--untracked-files=no"]).strip()
    return f"{name}-modified" if changed else name
