"""The list of crates inside a binary, in the form of cargo-auditable.

Scanners (trivy, syft, grype, cargo audit bin) read it from the section `.dep-v0`. The kernel does
not load it, so that it costs a start nothing. cargo-auditable itself is not used: it replaces the
compiler, as cargo-zigbuild replaces the linker, and has no way to name the release's compiler.
"""

from __future__ import annotations

import json
import zlib

from crates import Graph

SECTION = ".dep-v0"


def section(graph: Graph) -> bytes:
    """The section's bytes."""
    crates = list(graph.uses)
    packages = []
    for crate in crates:
        package: dict[str, object] = {
            "name": crate.name,
            "version": crate.version,
            "source": "crates.io" if crate.checksum else "local",
        }
        below = sorted(crates.index(used) for used in graph.uses[crate])
        if below:
            package["dependencies"] = below
        if crate == graph.root:
            package["root"] = True
        packages.append(package)
    return zlib.compress(json.dumps({"packages": packages}, separators=(",", ":")).encode(), 9)
