"""What others check wheels with."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Packaged

TOOLS = Path(sys.executable).parent


def run(tool: str, *arguments: object) -> str:
    command = [str(TOOLS / tool), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode()
    assert done.returncode == 0, said
    # Some break their lines at the width of a terminal.
    return " ".join(said.split())


def test_the_library_needs_no_newer_glibc_than_its_name_says(library: Path) -> None:
    said = run("auditwheel", "show", library)
    assert "manylinux_2_17_" in said, said


def test_the_library_keeps_to_the_stable_abi(library: Path) -> None:
    assert "0 ABI version mismatches and 0 ABI violations" in run("abi3audit", "-v", library)


@pytest.mark.parametrize("of", ["binary", "library"])
def test_an_index_would_take_the_wheel(packaged: Packaged, library: Path, of: str) -> None:
    wheel = library if of == "library" else packaged.one("*.whl")
    assert "PASSED" in run("twine", "check", "--strict", wheel)


def test_the_library_has_nothing_that_does_not_belong_in_a_wheel(library: Path) -> None:
    assert "OK" in run("check-wheel-contents", library)
