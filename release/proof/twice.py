"""Builds the last commit in two directories, and compares every byte.

twice.py all|build        all: `make release`; build: this machine's binary and wheel
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import roots
from product import ROOT, say

# Of different lengths: a path in a binary would move what comes after it.
NAMES = ("first", "a-second-directory/below/another")
LEFT = {"all": ["release-artefacts"], "build": ["shipped"]}


def build(place: Path, what: str) -> dict[str, str]:
    """The digest of each file that a build in `place` leaves."""
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", f"file://{ROOT}", str(place)], check=True)
    # The same tools, as the pinned ones would be installed once more.
    (place / "target").mkdir()
    (place / "target/release-tools").symlink_to(ROOT / "target/release-tools")
    say(f"building in {place}")
    python = place / "target/release-tools/bin/python"
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    command = [str(python), "release/make.py", what]
    subprocess.run(command, cwd=place, env=environment, check=True)
    found = {}
    for directory in LEFT[what]:
        for path in sorted((place / "target" / directory).rglob("*")):
            if path.is_file():
                name = str(path.relative_to(place / "target"))
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def main() -> int:
    """Fails when a file differs, or is there only once."""
    what = sys.argv[1]
    first, second = (build(roots.PLACE / "twice" / name, what) for name in NAMES)
    different = sorted(
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    )
    for name in different:
        say(f"FAILED: {name} is not the same twice")
    if not first:
        say("FAILED: nothing was built")
        return 1
    if not different:
        say(f"{len(first)} files, each equal to the byte in two directories")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
