"""Shell completions, printed by the program itself: by the binary that this machine can run."""

from __future__ import annotations

from archive import Entry
from binaries import Binary
from product import output, this_machine

# The programs that print some. Where a shell looks for them is what each file is called after.
COMPLETE = ("lyftlearn-conformance",)
FILES = {"bash": "{}.bash", "fish": "{}.fish", "zsh": "_{}"}


def of(package: str, built: list[Binary]) -> list[Entry]:
    """The files for `package`, the same for every processor."""
    if package not in COMPLETE:
        return []
    here = this_machine()
    (binary,) = (
        binary for binary in built if binary.package == package and binary.processor == here
    )
    return [
        Entry(
            f"completions/{name.format(package)}",
            output([str(binary.path), "completions", shell]).encode(),
        )
        for shell, name in FILES.items()
    ]
