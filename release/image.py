"""An image of nothing but the binary, for each processor, below one index: an OCI layout in a tar.

Written here and not by a container engine: an engine needs privileges, and records its own times.
`skopeo copy --all oci-archive:FILE docker://…` publishes it; podman and docker load it.
"""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timezone
from pathlib import Path

from archive import Entry, compressed, sha256, tar
from binaries import Binary
from packages import companions
from product import AUTHORS, LICENCE, SUMMARY, TITLE, commit, moment, version

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Json = dict[str, object]


class Layout:
    """Blobs by their digest."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def add(self, media_type: str, content: bytes) -> Json:
        """Adds a blob, and returns its descriptor."""
        digest = sha256(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def add_json(self, media_type: str, content: Json) -> Json:
        """Adds a document."""
        return self.add(media_type, json.dumps(content, sort_keys=True).encode())


def build(binaries: list[Binary], into: Path) -> tuple[Path, str]:
    """The archive, and the digest of its index: by that an image is named for good."""
    layout = Layout()
    index = layout.add_json(
        INDEX,
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [image(layout, binary) for binary in binaries],
            "annotations": labels(),
        },
    )
    index["annotations"] = {"org.opencontainers.image.ref.name": version()}
    top = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]}
    entries = [
        Entry("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        Entry("index.json", json.dumps(top, sort_keys=True).encode()),
    ]
    entries += [
        Entry(f"blobs/sha256/{digest}", blob) for digest, blob in sorted(layout.blobs.items())
    ]
    path = into / f"{TITLE}-{version()}-oci.tar"
    path.write_bytes(tar(entries))
    return path, str(index["digest"])


def image(layout: Layout, binary: Binary) -> Json:
    """The descriptor of one processor's image."""
    files = [Entry(TITLE, binary.path.read_bytes(), 0o755), *companions(binary)]
    layer = compressed(tar(files))
    config: Json = {
        "created": created(),
        "architecture": binary.processor.debian,
        "os": "linux",
        "config": {"Entrypoint": [f"/{TITLE}"], "Labels": labels()},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(gzip.decompress(layer))}"]},
        "history": [{"created": created(), "created_by": f"COPY {TITLE} /"}],
    }
    if binary.processor.debian == "arm64":
        config["variant"] = "v8"
    manifest = layout.add_json(
        MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": layout.add_json(CONFIG, config),
            "layers": [layout.add(LAYER, layer)],
            "annotations": labels(),
        },
    )
    wanted = {key: config[key] for key in ("architecture", "os", "variant") if key in config}
    return {**manifest, "platform": wanted}


def labels() -> dict[str, str]:
    """What registries show."""
    names = {
        "title": TITLE,
        "description": SUMMARY,
        "version": version(),
        "revision": commit(),
        "created": created(),
        "licenses": LICENCE,
        "authors": AUTHORS,
    }
    return {f"org.opencontainers.image.{name}": value for name, value in names.items()}


def created() -> str:
    """The release's moment."""
    return datetime.fromtimestamp(moment(), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
