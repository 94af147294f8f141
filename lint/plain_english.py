#!/usr/bin/env python3
"""Counts hard-to-read turns of phrase in comments and documents.

plain_english.py                  counts tracked files; exit code 1 over the limit
plain_english.py --worst 20       the same, and shows 20 of the places
plain_english.py PATH...          only these files or directories

A mark is a place to look at, not a mistake: a sentence that hides its actor ("who asks", "what was
held") or uses an everyday word for a technical thing ("is told", "lies in"). "A process whose pid
is unknown" is fine, and counts. That is why there is a limit for the whole, and none for a line.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

# Marks for each 1,000 words. Lower it when the count has fallen; never raise it.
LIMIT = 1.2

MARKS = re.compile(
    r"\b(?:[Ww]ho|[Ww]hoever|[Ww]hom|[Ww]hose)\b(?!\?)"
    r"|\b(?:[Nn]obody|none of|is none|are none|nowhere)\b"
    r"|(?:^|[\s.,;:(])[Ww]hat (?:is|was|has|comes|came|cannot|does|stands|no|nobody|they)\b"
    r"(?![^.]*\?)"
    r"|\b(?:is told|are told|is said|are said|says so|of its own|comes to no|came to nothing)\b"
    r"|\bis over\b"
    r"|\b(?:stands|lies) (?:in|at|below|there|beside|for|before|on|where|over)\b"
)
# How the prose of a line is found, by the file's extension.
PROSE = {
    ".rs": re.compile(r"(?:^|\s)//[/!]?\s?(.*)"),
    ".py": re.compile(r"(?:^|\s)#\s(.*)"),
    ".sh": re.compile(r"(?:^|\s)#\s(.*)"),
    ".md": re.compile(r"(.*)"),
}


def tracked(paths: list[str]) -> list[Path]:
    """Files in version control that have prose."""
    listing = ["git", "ls-files", "-z", "--", *paths]
    names = subprocess.run(listing, capture_output=True, check=True).stdout.decode().split("\0")
    return [Path(name) for name in names if Path(name).suffix in PROSE and Path(name) != OWN]


# This file quotes what it looks for.
OWN = Path("lint/plain_english.py")


def main() -> int:
    """Counts, prints, and compares with the limit."""
    parser = argparse.ArgumentParser(description="Counts hard-to-read turns of phrase.")
    parser.add_argument(
        "paths", nargs="*", help="files or directories; all tracked files by default"
    )
    parser.add_argument("--worst", type=int, default=0, metavar="N", help="show N of the places")
    options = parser.parse_args()
    words, found = 0, []
    for path in tracked(options.paths):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            match = PROSE[path.suffix].search(line)
            prose = match.group(1) if match else ""
            words += len(prose.split())
            if marks := len(MARKS.findall(prose)):
                found.append((marks, f"{path}:{number}: {prose.strip()}"))
    total = sum(marks for marks, _ in found)
    rate = 1000 * total / max(words, 1)
    for _, place in sorted(found, key=lambda one: -one[0])[: options.worst]:
        print(place)
    print(f"plain English: {total} marks in {words} words, {rate:.1f}/1000, limit {LIMIT}")
    if rate > LIMIT:
        print("lint: too many hard sentences; --worst 20 shows where to begin", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
