"""Compiles so that the same commit gives the same bytes in every directory.

Nothing here depends on the machine's C compiler or C library: zig compiles what is C, and links
what needs glibc.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from product import ROOT, TOOLS, Processor, ReleaseError, output, rust, say

# Not target/ itself: these flags differ from those of `cargo test`, and each change of flags
# compiles everything again.
TARGET = ROOT / "target/release-build"


def check_version() -> None:
    """Refuses any compiler but the one that releases are built with."""
    found = output(["rustc", "--version"], **toolchain()).split()[1]
    if found != rust():
        raise ReleaseError(
            f"rustc is {found}, and releases are built with {rust()}: another compiler gives "
            "other bytes",
            f"rustup toolchain install {rust()}",
        )


def toolchain() -> dict[str, str]:
    """Chooses the release's compiler where rustup has it by its number."""
    if "RUSTUP_TOOLCHAIN" in os.environ or not shutil.which("rustup"):
        return {}
    installed = output(["rustup", "toolchain", "list"]).split()
    by_number = any(name.startswith(f"{rust()}-") for name in installed)
    return {"RUSTUP_TOOLCHAIN": rust()} if by_number else {}


def target(processor: Processor) -> Path:
    """Cargo's directory: two of its runs cannot share one."""
    return TARGET / processor.name


def sysroot() -> Path:
    """Where the chosen toolchain is."""
    return Path(output(["rustc", "--print", "sysroot"], **toolchain()).strip())


def environment(flags: list[str]) -> dict[str, str]:
    """The variables of a compilation that names no directory of this machine."""
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    # Cargo names a directory after the registry's address, which differs with a mirror.
    registries = sorted((cargo / "registry/src").glob("*"))
    prefixes = [(str(ROOT), "/src"), (str(sysroot()), "/rust")]
    prefixes += [(str(registry), "/crates") for registry in registries]
    # The last one that matches counts.
    flags = [*(f"--remap-path-prefix={real}={shown}" for real, shown in prefixes), *flags]
    c_flags = " ".join(f"-ffile-prefix-map={real}={shown}" for real, shown in prefixes)
    caches = TARGET / "zig"
    return {
        **os.environ,
        **toolchain(),
        # A Python that is not this one would not have zig.
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CARGO_INCREMENTAL": "0",
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "CFLAGS": c_flags,
        # No time is compiled in. A commit's would have C compiled anew after each commit.
        "SOURCE_DATE_EPOCH": "315532800",
        "ZIG_GLOBAL_CACHE_DIR": str(caches),
        "ZIG_LOCAL_CACHE_DIR": str(caches),
        "CARGO_ZIGBUILD_CACHE_DIR": str(caches),
    }


def run(what: str, command: list[str], flags: list[str] | None = None, **more: str) -> None:
    """Runs one compilation, with further flags of rustc; its own words go to standard error."""
    say(what)
    # The directories of the registries are there only after this.
    output(["cargo", "fetch", "--locked"], **toolchain())
    begun = time.monotonic()
    try:
        subprocess.run(
            command,
            cwd=ROOT,
            env={**environment(flags or []), **more},
            stdout=sys.stderr,
            check=True,
        )
    except FileNotFoundError:
        raise ReleaseError(f"cannot run {command[0]}: it is not installed", TOOLS) from None
    except subprocess.CalledProcessError as failed:
        raise ReleaseError(f"{what}: exit code {failed.returncode}") from None
    say(f"{what}: {time.monotonic() - begun:.0f} s")


def objcopy(*arguments: str | Path) -> None:
    """Runs Rust's own, which knows every processor; the machine's knows one."""
    tools = sorted(sysroot().glob("lib/rustlib/*/bin/rust-objcopy"))
    if not tools:
        raise ReleaseError("cannot find rust-objcopy in the Rust toolchain", "rustup update")
    # It does not know where its own library is: cargo sets this, too.
    output([str(tools[0]), *map(str, arguments)], LD_LIBRARY_PATH=str(sysroot() / "lib"))
