"""A CycloneDX document for one artefact: the crates that are linked into it, and no others."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timezone

from crates import Crate, Graph
from licences import zig
from product import LICENCE, SUMMARY, TITLE, ReleaseError, moment, rust, version

Component = dict[str, object]


def document(
    graph: Graph, triple: str, purl: str, *, kind: str = "application", digest: str | None = None
) -> bytes:
    """The document of the artefact that `purl` names; `digest` is the artefact's own."""
    root: Component = {
        "type": kind,
        "bom-ref": purl,
        "name": graph.root.name,
        "version": version(),
        "description": SUMMARY,
        "licenses": [{"expression": LICENCE}],
        "purl": purl,
    }
    if digest:
        root["hashes"] = [{"alg": "SHA-256", "content": digest}]
    crates = [crate for crate in graph.uses if crate != graph.root]
    linked_too = [rust_library()] + ([c_library()] if triple.endswith("musl") else [])
    content: Component = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(moment(), timezone.utc).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
            "component": root,
            "properties": [{"name": f"{TITLE}:target", "value": triple}],
        },
        "components": [component(crate) for crate in crates] + linked_too,
        "dependencies": [
            {
                "ref": purl if crate == graph.root else crate.purl,
                "dependsOn": [used.purl for used in uses]
                + [str(part["bom-ref"]) for part in linked_too if crate == graph.root],
            }
            for crate, uses in graph.uses.items()
        ]
        + [{"ref": part["bom-ref"], "dependsOn": []} for part in linked_too],
    }
    # One document, one number: of what it says.
    text = json.dumps(content, sort_keys=True)
    content["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}"
    return (json.dumps(content, indent=1) + "\n").encode()


def component(crate: Crate) -> Component:
    """A crate; one of this workspace has no checksum."""
    found: Component = {
        "type": "library",
        "bom-ref": crate.purl,
        "name": crate.name,
        "version": crate.version,
        "scope": "required",
        "licenses": [{"expression": crate.licence}],
        "purl": crate.purl,
    }
    if crate.checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
    return found


def rust_library() -> Component:
    """Rust's standard library."""
    return {
        "type": "library",
        "bom-ref": "rust-std",
        "name": "std",
        "version": rust(),
        "description": "The Rust Standard Library",
        "scope": "required",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "cpe": f"cpe:2.3:a:rust-lang:rust:{rust()}:*:*:*:*:*:*:*",
    }


def c_library() -> Component:
    """Musl, as zig brings it."""
    musl = musl_version()
    return {
        "type": "library",
        "bom-ref": "musl",
        "name": "musl",
        "version": musl,
        "scope": "required",
        "licenses": [{"expression": "MIT"}],
        "cpe": f"cpe:2.3:a:musl-libc:musl:{musl}:*:*:*:*:*:*:*",
    }


def musl_version() -> str:
    """By the only place where zig writes it down."""
    text = (zig() / "lib/libc/musl/src/internal/version.h").read_text(encoding="utf-8")
    found = re.search(r'VERSION "([0-9.]+)"', text)
    if not found:
        raise ReleaseError("cannot find the version of musl in zig's version.h")
    return found[1]
