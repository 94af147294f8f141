"""What was released: SHA256SUMS for people, release.json for programs."""

from __future__ import annotations

import json
from pathlib import Path

from archive import sha256
from compiler import toolchain
from product import TITLE, commit, moment, output, rust, version

SUMS = "SHA256SUMS"
NAME = "release.json"


def write(artefacts: Path, kinds: dict[str, dict[str, str]], image: str) -> None:
    """Lists all files of `artefacts`; `kinds` says what each is, `image` is the index's digest."""
    sums = {path.name: sha256(path.read_bytes()) for path in sorted(artefacts.iterdir())}
    content = {
        "name": TITLE,
        "version": version(),
        "commit": commit(),
        "source_date_epoch": moment(),
        "built_with": {
            "rustc": output(["rustc", "--version"], **toolchain()).strip(),
            "by_number": rust(),
            **tools(),
        },
        "image_digest": image,
        "artefacts": [
            {
                "file": name,
                "sha256": digest,
                "size": (artefacts / name).stat().st_size,
                **kinds.get(name, {}),
            }
            for name, digest in sums.items()
        ],
    }
    (artefacts / NAME).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sums[NAME] = sha256((artefacts / NAME).read_bytes())
    lines = [f"{digest}  {name}" for name, digest in sorted(sums.items())]
    (artefacts / SUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def tools() -> dict[str, str]:
    """The pinned tools that change what is built."""
    pins = (Path(__file__).parent / "requirements-build.txt").read_text(encoding="utf-8")
    return dict(line.split("==") for line in pins.splitlines() if "==" in line)
