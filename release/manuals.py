"""Man pages and shell completions of both programs, written by the checker of this machine."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from archive import Entry, compressed
from binaries import Binary
from product import this_machine

CHECKER = "lyftlearn-conformance"
# Where each shell looks in Debian, below usr/share; the name of a file there is the command's.
PLACES = {
    ".bash": "bash-completion/completions/{}",
    ".fish": "fish/vendor_completions.d/{}.fish",
    "_": "zsh/vendor-completions/_{}",
}
# zsh of most other systems looks here.
SITE = "zsh/site-functions/_{}"


def checker(built: list[Binary]) -> Path:
    """The checker that this machine can run."""
    (binary,) = (
        binary
        for binary in built
        if binary.package == CHECKER and binary.processor == this_machine()
    )
    return binary.path


def of(package: str, checker: Path) -> list[Entry]:
    """The files for `package` as an archive has them; they are the same for every processor."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([str(checker), "manuals", scratch], check=True)
        found = sorted(path for path in Path(scratch).rglob("*") if path.is_file())
        return [
            Entry(f"{directory(path)}/{path.name}", path.read_bytes())
            for path in found
            if path.name.removeprefix("_").startswith(package)
        ]


def directory(path: Path) -> str:
    """Where an archive has it."""
    return "man/man1" if path.suffix == ".1" else "completions"


def installed(package: str, entries: list[Entry], *, debian: bool) -> list[Entry]:
    """The same entries below `share`, where man and the shells look for them."""
    placed = []
    for entry in entries:
        name = entry.name.rsplit("/", 1)[1]
        if name.endswith(".1"):
            # Debian's policy wants them compressed.
            content = compressed(entry.content) if debian else entry.content
            placed.append(Entry(f"share/man/man1/{name}{'.gz' if debian else ''}", content))
            continue
        kind = "_" if name.startswith("_") else Path(name).suffix
        place = PLACES[kind] if debian or kind != "_" else SITE
        placed.append(Entry(f"share/{place.format(package)}", entry.content))
    return placed
