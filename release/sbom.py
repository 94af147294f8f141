"""A CycloneDX document for one artefact: the crates that are linked into it, and no others."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timezone

from compiler import sysroot
from crates import Crate, Graph
from product import LICENCE, SUMMARY, TITLE, ReleaseError, moment, rust, version

Component = dict[str, object]


def document(
    graph: Graph, triple: str, purl: str, *, static: bool, digest: str | None = None
) -> bytes:
    """The document of the artefact that `purl` names; `digest` is the artefact's own.

    A static binary has the C library in it.
    """
    root: Component = {
        "type": "application" if static else "library",
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
    linked_too = [rust_library()] + ([c_library(triple)] if static else [])
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


def c_library(triple: str) -> Component:
    """Musl, as the Rust toolchain brings it."""
    musl = musl_version(triple)
    return {
        "type": "library",
        "bom-ref": "musl",
        "name": "musl",
        "version": musl,
        "scope": "required",
        "licenses": [{"expression": "MIT"}],
        "cpe": f"cpe:2.3:a:musl-libc:musl:{musl}:*:*:*:*:*:*:*",
    }


def musl_version(triple: str) -> str:
    """By the library itself, which has its version as a C string."""
    library = sysroot() / f"lib/rustlib/{triple}/lib/self-contained/libc.a"
    found = set(re.findall(rb"\0(\d+\.\d+\.\d+)\0", library.read_bytes()))
    if len(found) != 1:
        raise ReleaseError(f"cannot find the version of musl in Rust's libc.a for {triple}")
    return str(found.pop().decode())
