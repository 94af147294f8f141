"""Root file systems of other releases and processors, below target/proof."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from product import ROOT, ReleaseError, say

PLACE = ROOT / "target/proof"
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
# What an empty machine is given before anything of ours.
OPTIONS = [
    *("--quiet", "--mode=root", "--components=main"),
    # A mirror may be some weeks old, and a release that is still in the making says for how long
    # its lists hold.
    "--aptopt=Acquire::Check-Valid-Until false",
]
ISOLATED = [
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *("--propagation", "slave"),
]


def needs(tool: str, package: str) -> None:
    """Names the package of a tool that is not there."""
    if not shutil.which(tool):
        raise ReleaseError(f"cannot run {tool}: it is not installed", f"apt-get install {package}")


def debian(suite: str) -> Path | None:
    """A root of that release with Python, or `None` where its archive does not answer."""
    root = PLACE / "roots" / suite
    return make(root, ["--variant=apt", f"--include={PACKAGES}", suite])


def foreign(suite: str, architecture: str) -> Path | None:
    """The same for another processor: unpacked, as none of its programs runs without help."""
    root = PLACE / "roots" / f"{suite}-{architecture}"
    wanted = "dash,coreutils,libc-bin,base-files,python3-minimal,libpython3-stdlib"
    options = [f"--architectures={architecture}", "--variant=extract", f"--include={wanted}"]
    return make(root, [*options, "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", suite])


def make(root: Path, how: list[str]) -> Path | None:
    """Makes a root once; the next run has it again."""
    if root.is_dir():
        return root
    needs("mmdebstrap", "mmdebstrap")
    half = root.with_name(f"{root.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.parent.mkdir(parents=True, exist_ok=True)
    say(f"making a root of {root.name}")
    # Keys of later releases are in later releases.
    keys = PLACE / "roots/trixie/usr/share/keyrings"
    with_keys = [f"--keyring={keys}"] if keys.is_dir() else []
    made = subprocess.run(
        [*ISOLATED, "mmdebstrap", *OPTIONS, *with_keys, *how, str(half)],
        env={**os.environ, "TMPDIR": str(half.parent)},
        check=False,
    )
    if made.returncode:
        return None
    half.rename(root)
    return root


def inside(root: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script in the root, as root, with a /proc of its own; `/artefacts` is there."""
    (root / "proof.sh").write_text(script, encoding="utf-8")
    command = [
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc"),
        *("chroot", str(root), "/bin/sh", "-eu", "/proof.sh", *arguments),
    ]
    clean = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }
    return subprocess.run(
        command, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def carry(root: Path, *artefacts: Path) -> list[str]:
    """Puts artefacts into the root, and returns where each is there."""
    place = root / "artefacts"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return [f"/artefacts/{Path(shutil.copy(path, place)).name}" for path in artefacts]
