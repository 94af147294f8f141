"""Makes what is published.

make.py all        everything, into target/release-artefacts
make.py build      this machine's binary and wheel, into target/shipped:
                   what is tested is what is published
"""

from __future__ import annotations

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import binaries
import compiler
import image
import manifest
import manuals
import packages
import sbom
import wheels
from archive import sha256
from binaries import Binary
from crates import linked
from product import (
    PROCESSORS,
    ROOT,
    TITLE,
    Processor,
    ReleaseError,
    commit,
    say,
    this_machine,
    version,
)

ARTEFACTS = ROOT / "target/release-artefacts"
SHIPPED = ROOT / "target/shipped"
WHEELS = ROOT / "target/shipped/wheels"


class Artefacts:
    """The directory of a release, and what each file in it is."""

    def __init__(self, into: Path) -> None:
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        self.into = into
        self.kinds: dict[str, dict[str, str]] = {}

    def add(self, path: Path, kind: str, processor: Processor | None = None) -> None:
        """Notes what the file at `path` is."""
        self.kinds[path.name] = {
            "kind": kind,
            **({"processor": processor.name} if processor else {}),
        }

    def add_bill(self, path: Path, package: str, triple: str, purl: str, suffix: str = "") -> None:
        """Writes the list of what is linked into `path` beside it."""
        digest = sha256(path.read_bytes())
        bill = self.into / f"{path.name}{suffix}.cdx.json"
        graph = linked(package, triple)
        static = package != wheels.CRATE
        bill.write_bytes(sbom.document(graph, triple, purl, static=static, digest=digest))
        self.kinds[bill.name] = {"kind": "sbom", "of": path.name}


def package(built: list[Binary], checker: Path, into: Path) -> tuple[Artefacts, str]:
    """Everything around binaries that are compiled already, and the image's digest.

    `checker` is one that runs here: it writes man pages and completions.
    """
    artefacts = Artefacts(into)
    for binary in built:
        static = binary.processor.static
        documents = manuals.of(binary.package, checker)
        path = packages.archive(binary, documents, into)
        artefacts.add(path, "archive", binary.processor)
        artefacts.add_bill(
            path, binary.package, static, f"pkg:generic/{binary.package}@{version()}"
        )
        artefacts.add(packages.symbols(binary, into), "debug symbols", binary.processor)
        if binary.package != TITLE:
            continue
        path = packages.wheel(binary, documents, into)
        artefacts.add(path, "wheel of the binary", binary.processor)
        artefacts.add_bill(path, TITLE, static, f"pkg:pypi/{TITLE}-bin@{version()}")
        path = packages.debian(binary, documents, into)
        artefacts.add(path, "Debian package", binary.processor)
        architecture = binary.processor.debian
        artefacts.add_bill(path, TITLE, static, f"pkg:deb/{TITLE}@{version()}?arch={architecture}")
    runtimes = [binary for binary in built if binary.package == TITLE]
    path, digest = image.build(runtimes, into)
    artefacts.add(path, "image")
    for binary in runtimes:
        architecture = binary.processor.debian
        artefacts.add_bill(
            path,
            TITLE,
            binary.processor.static,
            f"pkg:oci/{TITLE}@{digest.replace(':', '%3A')}?arch={architecture}",
            f".{architecture}",
        )
    return artefacts, digest


# By what its file is called in release.json; the source has no processor.
LIBRARIES = {
    "wheel, manylinux": wheels.for_glibc,
    "wheel, musllinux": wheels.for_musl,
    "wheel, free-threaded": wheels.free_threaded,
}


@dataclass
class Compiled:
    """What takes minutes, for one processor."""

    processor: Processor
    binaries: list[Binary]
    libraries: dict[str, Path]


def compiled(processor: Processor) -> Compiled:
    """Compiles all that there is for `processor`."""
    into = compiler.TARGET / "compiled" / processor.name
    shutil.rmtree(into, ignore_errors=True)
    return Compiled(
        processor,
        [binaries.build(name, processor, into) for name in binaries.PACKAGES],
        {kind: make(processor, into) for kind, make in LIBRARIES.items()},
    )


def everything() -> None:
    """All artefacts."""
    compiler.check_version()
    if commit().endswith("-modified"):
        say("the checkout has changes that are not committed: this is no release")
    begun = time.monotonic()
    # Side by side: most of the time is the linker's, which has one thread.
    with ThreadPoolExecutor(len(PROCESSORS)) as pool:
        parts = list(pool.map(compiled, PROCESSORS))
    built = [binary for part in parts for binary in part.binaries]
    artefacts, digest = package(built, manuals.checker(built), ARTEFACTS)
    for part in parts:
        for kind, path in part.libraries.items():
            static = kind == "wheel, musllinux"
            triple = part.processor.static if static else part.processor.glibc
            place = Path(shutil.copy(path, ARTEFACTS))
            artefacts.add(place, kind, part.processor)
            artefacts.add_bill(place, wheels.CRATE, triple, f"pkg:pypi/{TITLE}@{version()}")
    artefacts.add(wheels.source(ARTEFACTS), "source distribution")
    manifest.write(ARTEFACTS, artefacts.kinds, digest)
    spent = time.monotonic() - begun
    say(f"{version()} is in {ARTEFACTS.relative_to(ROOT)}, after {spent:.0f} s")


def build() -> None:
    """What `make build` installs, and `make test-packages` looks at."""
    processor = this_machine()
    binaries.build(TITLE, processor, SHIPPED / processor.name)
    shutil.rmtree(WHEELS, ignore_errors=True)
    wheels.for_glibc(processor, WHEELS)


def main() -> int:
    """Exit code 2 for a wrong command line."""
    commands = {"all": everything, "build": build}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        commands[sys.argv[1]]()
    except ReleaseError as error:
        say(str(error))
        if error.hint:
            say(f"  hint: {error.hint}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
