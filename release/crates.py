"""The crates that are linked into one artefact: by cargo's own resolution, for one target.

Neither build scripts nor procedural macros are linked; nor is what only other features want.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compiler import toolchain
from product import ROOT, ReleaseError, output


@dataclass(frozen=True, order=True)
class Crate:
    """A crate at its version. `checksum` is crates.io's, and `None` for one of this workspace."""

    name: str
    version: str
    licence: str
    authors: tuple[str, ...]
    directory: Path
    checksum: str | None

    @property
    def purl(self) -> str:
        """Its name among all packages of the world."""
        return f"pkg:cargo/{self.name}@{self.version}"


@dataclass(frozen=True)
class Graph:
    """`uses` has a line for each crate, in the order of their names."""

    root: Crate
    uses: dict[Crate, list[Crate]]


# What a published binary has beyond the default features of its package.
FEATURES = {"lyftlearn-conformance": ("kubernetes",)}


def features(package: str) -> list[str]:
    """The options of cargo for them."""
    return [f"--features={feature}" for feature in FEATURES.get(package, ())]


@cache
def linked(package: str, triple: str) -> Graph:
    """What `package` links for `triple` when it is published."""
    tree = output(
        [
            *("cargo", "tree", "--locked", "--edges=normal,no-proc-macro"),
            *(f"--package={package}", f"--target={triple}", "--prefix=depth", "--format={p}"),
            *features(package),
        ],
        **toolchain(),
    )
    known = known_crates()
    above: list[Crate] = []
    found: dict[Crate, set[Crate]] = {}
    for line in tree.splitlines():
        # A crate that occurs again is listed without its dependencies.
        parts = re.match(r"(\d+)(\S+) v(\S+)", line)
        if not parts:
            raise ReleaseError(f"cannot parse a line of cargo tree: {line}")
        crate = known[parts[2], parts[3]]
        del above[int(parts[1]) :]
        if above:
            found[above[-1]].add(crate)
        found.setdefault(crate, set())
        above.append(crate)
    return Graph(
        above[0], {crate: sorted(found[crate], key=order) for crate in sorted(found, key=order)}
    )


def order(crate: Crate) -> tuple[str, str]:
    """By name and version: directories differ from machine to machine."""
    return crate.name, crate.version


@cache
def known_crates() -> dict[tuple[str, str], Crate]:
    """Every crate of Cargo.lock, by name and version."""
    metadata = json.loads(
        output(
            ["cargo", "metadata", "--locked", "--all-features", "--format-version=1"], **toolchain()
        )
    )
    checksums = dict(locked_checksums())
    crates = {}
    for package in metadata["packages"]:
        key = package["name"], package["version"]
        licence = package["license"]
        if not licence:
            raise ReleaseError(f"the crate {key[0]} {key[1]} names no licence")
        crates[key] = Crate(
            *key,
            # An older way of writing OR.
            licence.replace(" / ", " OR ").replace("/", " OR "),
            tuple(package["authors"]),
            Path(package["manifest_path"]).parent,
            checksums.get(key),
        )
    return crates


def locked_checksums() -> list[tuple[tuple[str, str], str]]:
    """Name, version and checksum of each crate from crates.io."""
    text = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    entry = r'name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "(.+)"'
    return [((name, version), checksum) for name, version, checksum in re.findall(entry, text)]
