"""Packages around one static binary: archives, a Debian package, a wheel, an image."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import manuals
import sbom
from archive import Entry, compressed, tar
from binaries import Binary
from crates import linked
from licences import NAME, third_party
from product import AUTHORS, LICENCE, ROOT, SUMMARY, TITLE, moment, version
from wheelfile import METADATA, Wheel


def licence() -> bytes:
    """Our own."""
    return (ROOT / "LICENSE").read_bytes()


def companions(binary: Binary) -> list[Entry]:
    """What goes with the binary everywhere."""
    graph = linked(binary.package, binary.processor.static)
    return [
        Entry("LICENSE", licence()),
        Entry(NAME, third_party(graph, static=True)),
        Entry("sbom.cdx.json", bill(binary, f"pkg:generic/{binary.package}@{version()}")),
    ]


def bill(binary: Binary, purl: str, digest: str | None = None) -> bytes:
    """The list of the crates in `binary`, for the artefact that `purl` names."""
    triple = binary.processor.static
    graph = linked(binary.package, triple)
    return sbom.document(graph, triple, purl, static=True, digest=digest)


def name_of(binary: Binary) -> str:
    """Package, version and Rust target."""
    return f"{binary.package}-{version()}-{binary.processor.static}"


def archive(binary: Binary, documents: list[Entry], into: Path) -> Path:
    """The binary with its licences, man pages and shell completions."""
    directory = name_of(binary)
    entries = [Entry(binary.package, binary.path.read_bytes(), 0o755), *companions(binary)]
    entries += documents
    path = into / f"{directory}.tar.gz"
    path.write_bytes(compressed(tar(below(directory, entries))))
    return path


def symbols(binary: Binary, into: Path) -> Path:
    """What a debugger wants to have beside the binary."""
    directory = f"{name_of(binary)}-debug"
    entries = [Entry(f"{binary.package}.debug", binary.symbols.read_bytes())]
    path = into / f"{directory}.tar.gz"
    path.write_bytes(compressed(tar(below(directory, entries))))
    return path


def below(directory: str, entries: list[Entry]) -> list[Entry]:
    """The entries in a directory."""
    return [Entry(f"{directory}/{entry.name}", entry.content, entry.mode) for entry in entries]


def wheel(binary: Binary, documents: list[Entry], into: Path) -> Path:
    """`pip install lyftlearn-runtime-bin`: the binary on PATH, and nothing for Python to import.

    maturin's own form of it is not used: it calls a static binary musl's, which pip refuses where
    the C library is glibc.
    """
    made = Wheel("lyftlearn_runtime_bin", version())
    made.add(
        f"{made.distribution}-{made.version}.data/scripts/{TITLE}", binary.path.read_bytes(), 0o755
    )
    # pip puts these below the environment, where man and bash find them by PATH.
    for entry in manuals.installed(TITLE, documents, debian=False):
        made.add(f"{made.distribution}-{made.version}.data/data/{entry.name}", entry.content)
    platforms = [
        f"{family}_{binary.processor.name}"
        for family in ("manylinux_2_17", "manylinux2014", "musllinux_1_1")
    ]
    tags = [f"Tag: py3-none-{platform}" for platform in platforms]
    lines = ["Wheel-Version: 1.0", "Generator: lyftlearn-runtime", "Root-Is-Purelib: false", *tags]
    made.add(f"{made.information}/WHEEL", ("\n".join(lines) + "\n").encode())
    made.add(f"{made.information}/{METADATA}", metadata().encode())
    made.add_licence("LICENSE", licence())
    graph = linked(binary.package, binary.processor.static)
    made.add_licence(NAME, third_party(graph, static=True))
    made.add_sbom(TITLE, bill(binary, f"pkg:pypi/{TITLE}-bin@{version()}"))
    path = into / f"{made.distribution}-{version()}-py3-none-{'.'.join(platforms)}.whl"
    made.write(path)
    return path


def metadata() -> str:
    """What an index shows of that wheel."""
    description = (ROOT / "release/bin-wheel.md").read_text(encoding="utf-8")
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {TITLE}-bin",
        f"Version: {version()}",
        "Summary: PID 1 of one image on SageMaker and Kubernetes, as a static binary",
        "Keywords: sagemaker,kubernetes,container,init,metrics",
        f"Author: {AUTHORS}",
        f"License-Expression: {LICENCE}",
        "Classifier: Development Status :: 4 - Beta",
        "Classifier: Environment :: Console",
        "Classifier: Intended Audience :: Developers",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Python :: 3",
        "Classifier: Programming Language :: Rust",
        "Classifier: Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Requires-Python: >=3.7",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(lines) + "\n\n" + description


def debian(binary: Binary, manual: list[Entry], into: Path) -> Path:
    """The binary, its licences and manuals, for every release of Debian and Ubuntu."""
    name = f"{TITLE}_{version()}_{binary.processor.debian}.deb"
    documents = f"usr/share/doc/{TITLE}"
    license_file, third, bill_of_materials = companions(binary)
    files = [
        Entry(f"usr/bin/{TITLE}", binary.path.read_bytes(), 0o755),
        Entry(f"{documents}/copyright", copyright_file(license_file.content)),
        Entry(f"{documents}/{NAME}.gz", compressed(third.content)),
        Entry(f"{documents}/sbom.cdx.json.gz", compressed(bill_of_materials.content)),
        *(
            Entry(f"usr/{entry.name}", entry.content)
            for entry in manuals.installed(TITLE, manual, debian=True)
        ),
    ]
    size = sum(len(entry.content) for entry in files)
    control = [
        f"Package: {TITLE}",
        f"Version: {version()}",
        f"Architecture: {binary.processor.debian}",
        f"Maintainer: {AUTHORS}",
        f"Installed-Size: {-(-size // 1024)}",
        "Section: admin",
        "Priority: optional",
        f"Description: {SUMMARY}",
        " The static binary that is PID 1 of one image on AWS SageMaker and Kubernetes.",
    ]
    files.append(Entry("DEBIAN/control", ("\n".join(control) + "\n").encode()))
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        root = Path(scratch) / "root"
        for entry in files:
            path = root / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.content)
            path.chmod(entry.mode)
        for directory in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            directory.chmod(0o755)
        # xz: Debian 11 cannot read zstd. One thread: more cut the data where they like.
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build"]
        subprocess.run(
            [*command, str(root), str(into / name)],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(moment())},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return into / name


def copyright_file(text: bytes) -> bytes:
    """Debian's form of naming a licence."""
    head = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
        f"Upstream-Name: {TITLE}",
        f"Comment: {NAME}.gz has the licences of everything that is linked in.",
        "",
        "Files: *",
        f"Copyright: {AUTHORS}",
        f"License: {LICENCE}",
    ]
    body = [f" {line}" if line.strip() else " ." for line in text.decode().splitlines()]
    return ("\n".join([*head, *body]) + "\n").encode()
