"""The artefacts where users install them: roots of Debian's releases, and every CPython in reach.

    installs.py ARTEFACTS

Each line is one thing that was tried. What is not in reach is SKIPPED by name.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import roots
from product import ROOT, ReleaseError, say, this_machine

SUITES = ("bullseye", "bookworm", "trixie", "forky")
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
HERE = Path(__file__).resolve().parent
# It fails where an import switched the GIL on, and where a count is lost.
THREADS = ROOT / "lyftlearn-runtime-py/tests/many_threads.py"

IN_A_ROOT = """
rm -rf /proof-venv
python3 -m venv /proof-venv
/proof-venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index "$1" "$2"
/proof-venv/bin/python /artefacts/try_wheel.py
/proof-venv/bin/lyftlearn-runtime inspect | head -n 1
dpkg --install "$3" >/dev/null
/usr/bin/lyftlearn-runtime inspect | head -n 1
zcat /usr/share/doc/lyftlearn-runtime/THIRD-PARTY.txt.gz | grep -c ring >/dev/null
"""

# From nothing but apt. Fractions of a second, without a program that an empty root has not.
FROM_EMPTY = """
since() { echo "$1 after $(($(date +%s%N) / 1000000 - begun)) ms"; }
begun=$(($(date +%s%N) / 1000000))
dpkg --install "$3" >/dev/null
lyftlearn-runtime inspect | head -n 1
since "inspect, from the Debian package,"
dpkg --purge lyftlearn-runtime >/dev/null
begun=$(($(date +%s%N) / 1000000))
apt-get update -qq
apt-get install -qq --no-install-recommends -y python3-pip >/dev/null 2>&1
since "python3-pip"
python3 -m pip install --quiet --disable-pip-version-check --no-index --break-system-packages \
    --root-user-action=ignore "$1" "$2"
python3 -c 'import lyftlearn_runtime'
since "import"
lyftlearn-runtime inspect | head -n 1
since "inspect, from pip,"
"""


def one(artefacts: Path, pattern: str) -> Path:
    """The artefact of this name."""
    found = sorted(artefacts.glob(pattern))
    if len(found) != 1:
        raise ReleaseError(f"{len(found)} artefacts are called {pattern}", "run `make release`")
    return found[0]


def in_debian(artefacts: Path) -> bool:
    """Wheels and the Debian package in each release."""
    processor = this_machine()
    library = one(artefacts, f"lyftlearn_runtime-*abi3-manylinux*_{processor.name}.whl")
    binary = one(artefacts, f"lyftlearn_runtime_bin-*_{processor.name}.whl")
    package = one(artefacts, f"*_{processor.debian}.deb")
    fine = True
    for suite in SUITES:
        root = roots.debian(suite)
        if root is None:
            say(f"SKIPPED: Debian {suite}: its archive does not answer")
            continue
        names = roots.carry(root, library, binary, package, HERE / "try_wheel.py")
        fine &= report(f"Debian {suite}", roots.inside(root, IN_A_ROOT, *names))
    return fine


def from_empty(artefacts: Path) -> bool:
    """How long it takes from a root with nothing but apt."""
    processor = this_machine()
    root = roots.PLACE / "roots/empty"
    shutil.rmtree(root, ignore_errors=True)
    if roots.make(root, ["--variant=minbase", "bookworm"]) is None:
        say("SKIPPED: an empty root: Debian's archive does not answer")
        return True
    library = one(artefacts, f"lyftlearn_runtime-*abi3-manylinux*_{processor.name}.whl")
    binary = one(artefacts, f"lyftlearn_runtime_bin-*_{processor.name}.whl")
    package = one(artefacts, f"*_{processor.debian}.deb")
    names = roots.carry(root, library, binary, package)
    return report("an empty root of Debian bookworm", roots.inside(root, FROM_EMPTY, *names))


def with_pythons(artefacts: Path) -> bool:
    """The same wheel under each CPython of this machine."""
    wheel = one(artefacts, f"lyftlearn_runtime-*abi3-manylinux*_{this_machine().name}.whl")
    fine = True
    for version in PYTHONS:
        python = found(version)
        if python is None:
            say(f"SKIPPED: CPython {version}: not on this machine")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            environment = Path(scratch) / "environment"
            own = str(environment / "bin/python")
            for command in (
                [python, "-m", "venv", str(environment)],
                [own, "-m", "pip", "install", "--quiet", "--no-index", str(wheel)],
            ):
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            tried = subprocess.run(
                [own, "-W", "error", str(HERE / "try_wheel.py")],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        fine &= report(f"CPython {version}", tried)
    return fine


def with_built(artefacts: Path) -> bool:
    """The wheels that nothing on the machine takes, under a CPython that is built for them."""
    fine = True
    for kind, pattern in (
        ("musl", "abi3-musllinux"),
        ("free-threaded", "cp314t-manylinux"),
    ):
        place = roots.PLACE / f"{kind}-python"
        say(f"a CPython from Debian's source: {kind}")
        made = subprocess.run([str(HERE / "build_python.sh"), kind, str(place)], check=False)
        if made.returncode:
            say(f"SKIPPED: CPython, {kind}: it could not be built")
            continue
        wheel = one(artefacts, f"lyftlearn_runtime-*{pattern}*_{this_machine().name}.whl")
        with tempfile.TemporaryDirectory() as site:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
            for program in (HERE / "try_wheel.py", THREADS):
                tried = subprocess.run(
                    [str(place / "bin/python3"), "-W", "error", str(program)],
                    env={"PYTHONPATH": site},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                fine &= report(f"CPython, {kind}, {program.name}", tried)
    return fine


def found(version: str) -> str | None:
    """A CPython by its version: on PATH, or where pyenv puts it."""
    installed = Path.home() / ".pyenv/versions"
    for path in sorted(installed.glob(f"{version}.*/bin/python{version}")):
        return str(path)
    return shutil.which(f"python{version}")


def report(what: str, tried: subprocess.CompletedProcess[str]) -> bool:
    """A line for what worked, and everything that was said by what did not."""
    if tried.returncode:
        say(f"FAILED: {what}:\n{tried.stdout}")
        return False
    say(f"{what}: {' | '.join(tried.stdout.splitlines())}")
    return True


ATTEMPTS = (with_pythons, with_built, in_debian, from_empty)


def main() -> int:
    """Tries all, and fails when one failed."""
    artefacts = Path(sys.argv[1])
    try:
        results = [attempt(artefacts) for attempt in ATTEMPTS]
    except ReleaseError as error:
        say(f"{error}{f': {error.hint}' if error.hint else ''}")
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
