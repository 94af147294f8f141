"""The static binaries, with their debug symbols in a file beside each."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import audit
import compiler
from crates import linked
from product import Processor

PACKAGES = ("lyftlearn-runtime", "lyftlearn-conformance")


@dataclass(frozen=True)
class Binary:
    """A stripped binary, and the symbols that were taken out of it."""

    package: str
    processor: Processor
    path: Path
    symbols: Path


def build(package: str, processor: Processor, into: Path) -> Binary:
    """Compiles `package` for `processor`; both files are then in `into`."""
    triple = processor.static
    compiler.run(
        f"{package} for {triple}",
        ["cargo", "zigbuild", "--release", "--locked", "--target", triple, "-p", package],
        CARGO_TARGET_DIR=str(compiler.target(processor)),
        CARGO_PROFILE_RELEASE_STRIP="none",
        CARGO_PROFILE_RELEASE_DEBUG="line-tables-only",
        # In a released binary no path of the checkout counts.
        LYFTLEARN_CONFORMANCE_RELEASED="1",
    )
    built = compiler.target(processor) / triple / "release" / package
    into.mkdir(parents=True, exist_ok=True)
    binary = Binary(package, processor, into / package, into / f"{package}.debug")
    separate(built, binary)
    return binary


def separate(built: Path, binary: Binary) -> None:
    """Splits `built`; the binary gets the list of its crates as cargo-auditable writes it."""
    binary.path.unlink(missing_ok=True)
    crates = binary.path.with_suffix(".crates")
    crates.write_bytes(audit.section(linked(binary.package, binary.processor.static)))
    compiler.objcopy("--only-keep-debug", built, binary.symbols)
    added = f"--add-section={audit.SECTION}={crates}"
    compiler.objcopy("--strip-all", added, built, binary.path)
    crates.unlink()
    compiler.objcopy(f"--add-gnu-debuglink={binary.symbols}", binary.path)
    shutil.copymode(built, binary.path)
    binary.symbols.chmod(0o644)
