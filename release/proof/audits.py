"""All artefacts: the sums, every wheel through the tools that judge wheels, and the source built.

audits.py ARTEFACTS
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import installs
from elftools.elf.elffile import ELFFile  # type: ignore[import-not-found]  # auditwheel brings it
from product import PROCESSORS, ReleaseError, say, this_machine, version

TOOLS = Path(sys.executable).parent


def run(what: str, command: list[str], expected: str = "", directory: Path | None = None) -> bool:
    """Runs a tool; `expected` has to be in what it prints."""
    tried = subprocess.run(
        command,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # Some tools break their lines at the width of a terminal.
    if tried.returncode or expected not in " ".join(tried.stdout.split()):
        say(f"FAILED: {what}:\n{tried.stdout}")
        return False
    say(f"{what}: {expected or 'passed'}")
    return True


def wheels(artefacts: Path) -> bool:
    """Each wheel by the tools that apply to it."""
    fine = True
    for wheel in sorted(artefacts.glob("*.whl")):
        name = wheel.name
        fine &= run(f"twine check {name}", [str(TOOLS / "twine"), "check", "--strict", str(wheel)])
        if "_bin-" in name:
            continue
        contents = [str(TOOLS / "check-wheel-contents"), str(wheel)]
        fine &= run(f"check-wheel-contents {name}", contents)
        if "musllinux" in name:
            fine &= needs_musl_alone(wheel)
        else:
            show = [str(TOOLS / "auditwheel"), "show", str(wheel)]
            fine &= run(f"auditwheel {name}", show, "manylinux_2_17_")
        if "-abi3-" in name:
            none = "0 ABI version mismatches and 0 ABI violations"
            fine &= run(f"abi3audit {name}", [str(TOOLS / "abi3audit"), "-v", str(wheel)], none)
    return fine


def needs_musl_alone(wheel: Path) -> bool:
    """What auditwheel would say on Alpine; here it takes glibc's linker script for the library."""
    with zipfile.ZipFile(wheel) as archive:
        (module,) = (name for name in archive.namelist() if name.endswith(".so"))
        elf = ELFFile(io.BytesIO(archive.read(module)))
    needed = [tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")]
    if needed != ["libc.so"]:
        say(f"FAILED: {wheel.name} needs {', '.join(needed)}")
        return False
    say(f"{wheel.name}: needs musl alone")
    return True


def source(artefacts: Path) -> bool:
    """The source distribution gives a wheel, by nothing but pip and Rust."""
    path = installs.one(artefacts, f"lyftlearn_runtime-{version()}.tar.gz")
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", f"--wheel-dir={scratch}"]
        if not run(f"pip wheel {path.name}", [*command, str(path)]):
            return False
        (wheel,) = Path(scratch).glob("*.whl")
        site = Path(scratch) / "site"
        unpack = [sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)]
        subprocess.run(unpack, check=True)
        program = f"import sys; sys.path.insert(0, {str(site)!r}); import lyftlearn_runtime"
        return run(f"import of {wheel.name}", [sys.executable, "-c", program])


def complete(artefacts: Path) -> bool:
    """Everything is there for both processors, with the sums that the list says."""
    for processor in PROCESSORS:
        for pattern in (
            f"lyftlearn-runtime-*-{processor.static}.tar.gz",
            f"lyftlearn-runtime-*-{processor.static}-debug.tar.gz",
            f"lyftlearn-conformance-*-{processor.static}.tar.gz",
            f"lyftlearn-conformance-*-{processor.static}-debug.tar.gz",
            f"lyftlearn-runtime_*_{processor.debian}.deb",
            f"lyftlearn_runtime-*-cp39-abi3-manylinux*_{processor.name}.whl",
            f"lyftlearn_runtime-*-cp39-abi3-musllinux*_{processor.name}.whl",
            f"lyftlearn_runtime-*-cp314-cp314t-manylinux*_{processor.name}.whl",
            f"lyftlearn_runtime_bin-*_{processor.name}.whl",
        ):
            installs.one(artefacts, pattern)
        for package in ("lyftlearn-runtime", "lyftlearn-conformance"):
            top = f"{package}-{version()}-{processor.static}"
            with tarfile.open(artefacts / f"{top}.tar.gz") as archive:
                inside = archive.getnames()
            files = (
                f"completions/{package}.bash",
                f"completions/_{package}",
                f"man/man1/{package}.1",
            )
            for file in files:
                if f"{top}/{file}" not in inside:
                    raise ReleaseError(f"{top}.tar.gz has no {file}", "run `make release`")
    installs.one(artefacts, "*-oci.tar")
    sums = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    return run("SHA256SUMS", sums, directory=artefacts)


def kubernetes(artefacts: Path) -> bool:
    """The checker has the client of Kubernetes: it looks for a kubeconfig."""
    top = f"lyftlearn-conformance-{version()}-{this_machine().static}"
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(artefacts / f"{top}.tar.gz") as archive:
            packed = archive.extractfile(f"{top}/lyftlearn-conformance")
            if packed is None:
                raise ReleaseError(f"{top}.tar.gz has no binary", "run `make release`")
            binary = Path(scratch) / "lyftlearn-conformance"
            binary.write_bytes(packed.read())
        binary.chmod(0o755)
        fails = '! "$0" check none --engine kubernetes'
        command = ["env", "--unset=KUBECONFIG", f"HOME={scratch}", "sh", "-c", fails, str(binary)]
        return run("check --engine kubernetes", command, "found no kubeconfig")


def main() -> int:
    """Looks at all, and fails when one is wrong."""
    artefacts = Path(sys.argv[1]).resolve()
    try:
        results = [attempt(artefacts) for attempt in (complete, kubernetes, wheels, source)]
    except ReleaseError as error:
        say(f"{error}{f': {error.hint}' if error.hint else ''}")
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
