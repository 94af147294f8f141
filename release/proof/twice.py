"""Builds the last commit here and in another directory, and compares every byte.

twice.py all|build        all: with `make release`; build: with the binary and wheel of `make build`
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import roots
from product import ROOT, commit, say

# Of another length, because the path's length could shift a binary's content.
PLACE = roots.PLACE / "twice/another-directory/with-a-longer-name"
LEFT = {"all": "release-artefacts", "build": "shipped"}


def once_more(what: str) -> None:
    """A build in a clone, with tools of its own: zig's headers are named in debug symbols."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", f"file://{ROOT}", str(PLACE)], check=True)
    subprocess.run([str(PLACE / "release/tools.sh"), "requirements-build.txt"], check=True)
    make(PLACE, what)


def make(repository: Path, what: str) -> None:
    """Runs a checkout's own script."""
    say(f"building in {repository}")
    python = repository / "target/release-tools/bin/python"
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    command = [str(python), "release/make.py", what]
    subprocess.run(command, cwd=repository, env=environment, check=True)


def left(repository: Path, what: str) -> dict[str, str]:
    """The digest of each file that a build left."""
    directory = repository / "target" / LEFT[what]
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def same(what: str) -> bool:
    """Whether nothing differs, and nothing is there only once."""
    first, second = left(ROOT, what), left(PLACE, what)
    different = sorted(
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    )
    for name in different:
        say(f"FAILED: {name} is not the same twice")
    if not different:
        say(f"{len(first)} files, each equal to the byte in two directories")
    return not different


def main() -> int:
    """Fails when a file differs, or is there only once."""
    what = sys.argv[1]
    if commit().endswith("-modified"):
        say("FAILED: the checkout has changes that are not committed: they are not in a clone")
        return 1
    # The files here may come from an earlier commit, whose time is in the wheel.
    make(ROOT, what)
    once_more(what)
    return 0 if same(what) else 1


if __name__ == "__main__":
    sys.exit(main())
