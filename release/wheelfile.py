"""Wheels, read and written: a zip with a list of its files and their hashes (PEP 427)."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from archive import Entry
from product import moment

METADATA = "METADATA"


@dataclass
class Wheel:
    """The files but for RECORD, which is made when the wheel is written."""

    distribution: str
    version: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def information(self) -> str:
        """The directory of what installers read."""
        return f"{self.distribution}-{self.version}.dist-info"

    def add(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Adds a file."""
        self.entries.append(Entry(name, content, mode))

    def add_licence(self, name: str, content: bytes) -> None:
        """Adds a licence text, which the metadata name (PEP 639)."""
        self.add(f"{self.information}/licenses/{name}", content)
        for number, entry in enumerate(self.entries):
            if entry.name != f"{self.information}/{METADATA}":
                continue
            head, blank, description = entry.content.partition(b"\n\n")
            head += f"\nLicense-File: {name}".encode()
            self.entries[number] = Entry(entry.name, head + blank + description, entry.mode)

    def add_sbom(self, name: str, content: bytes) -> None:
        """Adds a CycloneDX document (PEP 770)."""
        self.add(f"{self.information}/sboms/{name}.cdx.json", content)

    def write(self, path: Path) -> None:
        """Writes the wheel: the same entries give the same bytes."""
        record = f"{self.information}/RECORD"
        # Installers find what describes the wheel at its end.
        entries = sorted(
            self.entries, key=lambda entry: (entry.name.startswith(self.information), entry.name)
        )
        lines = [f"{entry.name},{digest(entry.content)},{len(entry.content)}" for entry in entries]
        entries.append(Entry(record, "\n".join([*lines, f"{record},,", ""]).encode()))
        time = datetime.fromtimestamp(max(moment(), 315532800), timezone.utc).timetuple()[:6]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for entry in entries:
                place = zipfile.ZipInfo(entry.name, time)
                place.compress_type = zipfile.ZIP_DEFLATED
                place.create_system = 3
                # A plain file, for unzip as for installers.
                place.external_attr = (0o100000 | entry.mode) << 16
                archive.writestr(place, entry.content)


def read(path: Path) -> Wheel:
    """The wheel at `path`."""
    distribution, version = path.name.split("-")[:2]
    wheel = Wheel(distribution, version)
    with zipfile.ZipFile(path) as archive:
        for place in archive.infolist():
            if place.filename != f"{wheel.information}/RECORD" and not place.is_dir():
                mode = (place.external_attr >> 16) & 0o777 or 0o644
                wheel.add(place.filename, archive.read(place), mode)
    return wheel


def digest(content: bytes) -> str:
    """As RECORD wants it."""
    encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return "sha256=" + encoded.rstrip(b"=").decode()
