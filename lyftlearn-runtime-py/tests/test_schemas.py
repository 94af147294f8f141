"""Every JSON output is as its schema in schemas/ says, and no field is missing there."""

import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import BINARY
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
CASES = sorted(path.parent for path in (ROOT / "conformance/cases").glob("*/*/expect.json"))
CHECKER = ROOT / f"target/{platform.machine()}-unknown-linux-musl/debug" / "lyftlearn-conformance"


def strict(schema: Any) -> Any:
    """The published schemas allow fields that later versions add; today there are none."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {**closed, **{name: strict(part) for name, part in schema.items()}}


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(strict(schema))


def check(name: str, document: Any, of: str) -> None:
    wrong = [
        f"{of}: {error.json_path}: {error.message[:200]}"
        for error in validator(name).iter_errors(document)
    ]
    assert not wrong, "\n".join(wrong[:10])


def tool(
    *words: "str | Path", environ: "dict[str, str] | None" = None
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [str(BINARY), *map(str, words)],
        env=environ if environ is not None else dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )


def worlds(tmp_path: Path) -> Iterator[tuple[str, Path, list[str], dict[str, str]]]:
    """The cases' files as they are; those that only make.json has are absent."""
    empty = tmp_path / "empty"
    empty.mkdir()
    for case in CASES:
        root = case / "fs" if (case / "fs").is_dir() else empty
        argv = case / "argv.json"
        yield (
            f"{case.parent.name}/{case.name}",
            root,
            json.loads(argv.read_text()) if argv.exists() else [],
            json.loads((case / "env.json").read_text()),
        )


@pytest.mark.parametrize(
    ("name", "options", "each"),
    [("inspect", ["--json"], 1), ("explain", ["--json"], 6), ("snapshot", [], 6)],
)
def test_every_case(tmp_path: Path, name: str, options: list[str], each: int) -> None:
    """All for the model; the other two are made from it, and take longer."""
    good = validator(name)
    shown = 0
    for case, root, argv, environ in list(worlds(tmp_path))[::each]:
        words = argv if name != "explain" else []
        output = tool(name, *options, "--root", root, "--", *words, environ=environ)
        if output.returncode != 0:
            continue
        shown += 1
        document = json.loads(output.stdout)
        if not good.is_valid(document):
            check(name, document, case)
    assert shown > 200 / each


def test_here(tmp_path: Path) -> None:
    """With this machine's own ports, limits and Python."""
    quick = ["--json", "--only", "detection,paths,limits,secrets,metrics,region,spark"]
    for name, options in (("inspect", ["--json"]), ("doctor", quick), ("snapshot", [])):
        output = tool(name, *options)
        assert output.returncode in (0, 1), output.stderr
        check(name, json.loads(output.stdout), "here")
        (tmp_path / f"{name}.json").write_bytes(output.stdout)


def test_differences(tmp_path: Path) -> None:
    a = json.loads(tool("snapshot").stdout)
    b = {**a, "platform": "kubernetes", "role": "serving", "variables": {"A": "0" * 64}}
    for name, snapshot in (("a.json", a), ("b.json", b)):
        (tmp_path / name).write_text(json.dumps(snapshot))
    output = tool("diff", "--format", "json", tmp_path / "a.json", tmp_path / "b.json")
    assert output.returncode == 1, output.stderr
    document = json.loads(output.stdout)
    assert {one["kind"] for one in document} >= {"undeclared", "harmless"}
    check("diff", document, "two snapshots")


def layout(directory: Path) -> None:
    """The smallest image: one layer with one file."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": f"sha256:{digest}",
            "size": len(content),
        }

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("app"))
    layer = blob(packed.getvalue(), "layer.v1.tar")
    image = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/app"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(image).encode(), "config.v1+json"),
        "layers": [layer],
    }
    top = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


@pytest.mark.skipif(not CHECKER.exists(), reason="`make build` builds the checker")
def test_a_report_of_the_checker(tmp_path: Path) -> None:
    image = tmp_path / "image"
    layout(image)
    report = tmp_path / "report.json"
    output = subprocess.run(
        [str(CHECKER), "check", f"oci:{image}", "--json", str(report)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert report.exists(), output.stderr
    document = json.loads(report.read_text())
    results = {finding["result"] for finding in document["findings"]}
    assert {"failed", "passed", "skipped"} <= results
    check("report", document, "an image")
