"""Publishing: refused unless all is right; the tools that leave the machine are stand-ins."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from product import ROOT

VERSION = "9.9.9"


class Place:
    """A repository of its own with artefacts, and stand-ins that write down how they are called."""

    def __init__(self, directory: Path) -> None:
        self.calls = directory / "calls"
        self.repository = directory / "repository"
        self.artefacts = directory / "artefacts"
        self.tools = directory / "tools"
        for path in (self.repository / "release", self.artefacts, self.tools):
            path.mkdir(parents=True)
        shutil.copy(ROOT / "release/publish.sh", self.repository / "release")
        self.git("init", "--quiet")
        self.git("add", ".")
        who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        self.git(*who, "commit", "--quiet", "--message=one")
        self.git("tag", f"v{VERSION}")
        for tool in ("twine", "skopeo", "gh"):
            path = self.tools / tool
            path.write_text(f'#!/bin/sh\necho {tool} "$@" >>"{self.calls}"\n')
            path.chmod(0o755)
        for name in (
            f"lyftlearn_runtime-{VERSION}-cp39-abi3-any.whl",
            f"lyftlearn_runtime-{VERSION}.tar.gz",
            f"lyftlearn-runtime-{VERSION}-oci.tar",
        ):
            (self.artefacts / name).write_text(name)
        commit = self.git("rev-parse", "HEAD").strip()
        (self.artefacts / "release.json").write_text(f'{{\n "commit": "{commit}"\n}}\n')
        self.sum()

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.repository,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def sum(self) -> None:
        sums = self.artefacts / "SHA256SUMS"
        sums.unlink(missing_ok=True)
        names = sorted(path.name for path in self.artefacts.iterdir())
        written = subprocess.run(
            ["sha256sum", *names], cwd=self.artefacts, stdout=subprocess.PIPE, check=True
        )
        sums.write_bytes(written.stdout)

    def publish(self, **environment: str) -> subprocess.CompletedProcess[str]:
        script = str(self.repository / "release/publish.sh")
        path = f"{self.tools}:{os.environ['PATH']}"
        return subprocess.run(
            [script, str(self.artefacts), VERSION],
            env={"PATH": path, "IMAGE": "r.example/x", **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def refused(self, **environment: str) -> str:
        ended = self.publish(**environment)
        assert ended.returncode == 1
        assert not self.calls.exists(), "something left the machine"
        return ended.stderr


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)


def test_what_is_right_goes_to_three_places(place: Place) -> None:
    ended = place.publish()
    assert ended.returncode == 0, ended.stderr
    twine, skopeo, gh = place.calls.read_text().splitlines()
    wheel = f"./lyftlearn_runtime-{VERSION}-cp39-abi3-any.whl"
    assert twine == f"twine upload --non-interactive {wheel} ./lyftlearn_runtime-{VERSION}.tar.gz"
    archive = f"oci-archive:lyftlearn-runtime-{VERSION}-oci.tar"
    assert skopeo == f"skopeo copy --all {archive} docker://r.example/x:{VERSION}"
    assert gh.startswith(f"gh release create v{VERSION} --verify-tag")
    assert "SHA256SUMS" in gh


def test_without_a_name_for_the_image(place: Place) -> None:
    assert place.refused(IMAGE="") == (
        "publish: IMAGE is not set\n"
        "publish:   hint: IMAGE=registry.example/team/lyftlearn-runtime make publish\n"
    )


def test_a_changed_artefact(place: Place) -> None:
    (place.artefacts / f"lyftlearn-runtime-{VERSION}-oci.tar").write_text("changed")
    said = place.refused()
    assert "publish: the artefacts are not what SHA256SUMS says\n" in said
    assert said.endswith("publish:   hint: run make release\n")


def test_artefacts_of_another_commit(place: Place) -> None:
    (place.artefacts / "release.json").write_text('{"commit": "0-modified"}')
    place.sum()
    assert place.refused() == (
        "publish: the artefacts are not of this commit\n"
        "publish:   hint: run make release, with nothing left to commit\n"
    )


def test_a_commit_without_its_tag(place: Place) -> None:
    place.git("tag", "--delete", f"v{VERSION}")
    assert place.refused() == (
        f"publish: this commit has no tag v{VERSION}\npublish:   hint: git tag v{VERSION}\n"
    )


def test_no_artefacts(place: Place) -> None:
    (place.artefacts / "SHA256SUMS").unlink()
    assert place.refused() == (
        f"publish: {place.artefacts} has no SHA256SUMS\npublish:   hint: run make release\n"
    )
