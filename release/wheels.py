"""The Python package: wheels by maturin, for each C library and processor, and the source."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import compiler
import sbom
import wheelfile
from crates import linked
from licences import NAME, third_party
from product import Processor, moment, version

CRATE = "lyftlearn-runtime-py"
MANIFEST = f"{CRATE}/Cargo.toml"
DISTRIBUTION = "lyftlearn-runtime"
# glibc 2.17 and newer: every base image that is still in use. musl 1.2: Alpine 3.13 and newer.
MANYLINUX = "manylinux2014"
MUSLLINUX = "musllinux_1_2"
# The free-threaded one, which has no stable ABI before 3.15.
FREE_THREADED = "python3.14t"


def for_glibc(processor: Processor, into: Path) -> Path:
    """Every CPython from 3.9 on, with the GIL."""
    return build(processor, processor.glibc, MANYLINUX, sys.executable, into)


def for_musl(processor: Processor, into: Path) -> Path:
    """The same for Alpine."""
    return build(processor, processor.static, MUSLLINUX, sys.executable, into)


def free_threaded(processor: Processor, into: Path) -> Path:
    """CPython 3.14 without the GIL, which need not be installed: maturin knows how it was built."""
    return build(processor, processor.glibc, MANYLINUX, FREE_THREADED, into)


def build(processor: Processor, triple: str, platform: str, interpreter: str, into: Path) -> Path:
    """One wheel, with the licences of what it links and the list of it."""
    scratch = compiler.TARGET / "wheels" / f"{triple}-{Path(interpreter).name}"
    shutil.rmtree(scratch, ignore_errors=True)
    compiler.run(
        f"{CRATE} for {triple} ({platform}, {Path(interpreter).name})",
        [
            *("maturin", "build", "--release", "--locked", "--zig"),
            *(f"--manifest-path={MANIFEST}", f"--target={triple}", f"--out={scratch}"),
            *(f"--compatibility={platform}", f"--interpreter={interpreter}"),
        ],
        CARGO_TARGET_DIR=str(compiler.target(processor)),
    )
    (built,) = scratch.glob("*.whl")
    wheel = wheelfile.read(built)
    graph = linked(CRATE, triple)
    wheel.add_licence(NAME, third_party(graph, static=False))
    purl = f"pkg:pypi/{DISTRIBUTION}@{version()}"
    wheel.add_sbom(DISTRIBUTION, sbom.document(graph, triple, purl, static=False))
    into.mkdir(parents=True, exist_ok=True)
    wheel.write(into / built.name)
    return into / built.name


def source(into: Path) -> Path:
    """The source distribution."""
    scratch = compiler.TARGET / "wheels/source"
    shutil.rmtree(scratch, ignore_errors=True)
    compiler.run(
        "the source distribution",
        ["maturin", "sdist", f"--manifest-path={MANIFEST}", f"--out={scratch}"],
        SOURCE_DATE_EPOCH=str(moment()),
    )
    (built,) = scratch.glob("*.tar.gz")
    into.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(built, into))
