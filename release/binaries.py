"""The static binaries, with their debug symbols in a file beside each.

Rust's own linker links them with Rust's own musl: all that zig does here is compile ring's C. As a
linker zig would fix the address of a static binary, and no address would be random.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import audit
import compiler
from crates import features, linked
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
        [
            *("cargo", "build", "--release", "--locked", "--target", triple, "-p", package),
            *features(package),
        ],
        linking(processor),
        CARGO_TARGET_DIR=str(compiler.target(processor)),
        CARGO_PROFILE_RELEASE_STRIP="none",
        CARGO_PROFILE_RELEASE_DEBUG="line-tables-only",
        # In a released binary no path of the checkout counts.
        LYFTLEARN_CONFORMANCE_RELEASED="1",
        **c_compiler(processor),
    )
    built = compiler.target(processor) / triple / "release" / package
    into.mkdir(parents=True, exist_ok=True)
    binary = Binary(package, processor, into / package, into / f"{package}.debug")
    separate(built, binary)
    return binary


def linking(processor: Processor) -> list[str]:
    """Position-independent on both processors: the addresses of PID 1 are random."""
    # A debugger finds the symbols of a binary by this number.
    flags = ["-Clinker=rust-lld", "-Clink-arg=--build-id=sha1"]
    if processor.name == "x86_64":
        return [*flags, "-Clink-self-contained=yes"]
    # For aarch64 rustc itself would make a binary with a fixed address; its own files make a static
    # PIE.
    own = compiler.sysroot() / "lib/rustlib" / processor.static / "lib/self-contained"
    objects = ["rcrt1.o", "crti.o", "crtbeginS.o", "crtendS.o", "crtn.o"]
    arguments = ["-pie", "--no-dynamic-linker", "-ztext", *(str(own / name) for name in objects)]
    flags += ["-Clink-self-contained=no", "-Crelocation-model=pic", f"-Lnative={own}"]
    return [*flags, *(f"-Clink-arg={argument}" for argument in arguments)]


def c_compiler(processor: Processor) -> dict[str, str]:
    """Names zig to build scripts; cargo-zigbuild turns a C compiler's options into zig's."""
    named = {}
    for variable, tool, options in (
        ("CC", "cc", f"-target {processor.name}-linux-musl -fno-sanitize=all"),
        ("AR", "ar", ""),
    ):
        script = compiler.target(processor) / f"zig-{tool}"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f'#!/bin/sh\nexec cargo-zigbuild zig {tool} -- {options} "$@"\n')
        script.chmod(0o755)
        named[f"{variable}_{processor.static.replace('-', '_')}"] = str(script)
    return named


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
