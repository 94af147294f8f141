"""The binary and the wheel that `make.py build` left, packaged twice."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import make
import product
from binaries import Binary
from manuals import CHECKER

BUILT = make.SHIPPED / product.this_machine().name


@dataclass(frozen=True)
class Packaged:
    first: Path
    second: Path
    digest: str

    def one(self, pattern: str) -> Path:
        """The one artefact of this name."""
        (found,) = self.first.glob(pattern)
        return found


def binary() -> Binary:
    path = BUILT / product.TITLE
    assert path.is_file(), "run `make test-packages`"
    return Binary(product.TITLE, product.this_machine(), path, BUILT / f"{product.TITLE}.debug")


def checker() -> Path:
    path = product.ROOT / "target" / product.this_machine().static / "debug" / CHECKER
    assert path.is_file(), "run `make test-packages`"
    return path


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """What a clock, a mask or a directory could change is different the second time."""
    first = tmp_path_factory.mktemp("first") / "artefacts"
    second = tmp_path_factory.mktemp("another") / "directory" / "artefacts"
    _, digest = make.package([binary()], checker(), first)
    with pytest.MonkeyPatch.context() as patch:
        real = time.time
        patch.setattr(time, "time", lambda: real() + 86_400)
        patch.setenv("TZ", "Pacific/Auckland")
        mask = os.umask(0o077)
        try:
            assert make.package([binary()], checker(), second)[1] == digest
        finally:
            os.umask(mask)
    return Packaged(first, second, digest)


@pytest.fixture(scope="session")
def library() -> Path:
    """The Python package's wheel."""
    found = sorted(make.WHEELS.glob("*.whl"))
    assert len(found) == 1, "run `make test-packages`"
    return found[0]
