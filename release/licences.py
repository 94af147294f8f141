"""The licence texts of everything that is linked into an artefact, as one file.

cargo-about is not used: it takes missing texts from a service, takes minutes to build, and knows
neither Rust's standard library nor the C library, which are linked as well.
"""

from __future__ import annotations

import html
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from compiler import sysroot
from crates import Crate, Graph
from product import ROOT, TOOLS, ReleaseError

NAME = "THIRD-PARTY.txt"
TEXTS = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
RULE = "=" * 80

# Crates whose package has no licence text. The text of each licence is known; of several licences
# to choose from, this is the chosen one.
WITHOUT_TEXT = {
    "base64-simd": "MIT",
    "kube": "Apache-2.0",
    "kube-client": "Apache-2.0",
    "kube-core": "Apache-2.0",
    "maud": "Apache-2.0",
    "opentelemetry": "Apache-2.0",
    "opentelemetry-proto": "Apache-2.0",
    "opentelemetry_sdk": "Apache-2.0",
    "vsimd": "MIT",
}


@dataclass(frozen=True)
class Part:
    """Something with a licence; `texts` in the order of their files' names."""

    title: str
    licence: str
    texts: list[str]


def third_party(graph: Graph, *, static: bool) -> bytes:
    """The file. A static binary has the C library in it."""
    parts = [of_crate(crate) for crate in graph.uses if crate.checksum]
    parts += [rust_library(), unwinder()]
    if static:
        parts.append(c_library())
    lines = ["Licences of what this file's neighbour is linked with, besides its own.", ""]
    lines += [f"{part.title}: {part.licence}" for part in parts]
    # A text that many share is there once, below all their names.
    shared: dict[str, list[str]] = {}
    for part in parts:
        for text in part.texts:
            shared.setdefault(text, []).append(part.title)
    for text, titles in shared.items():
        lines += ["", RULE, *titles, RULE, "", text]
    return ("\n".join(lines) + "\n").encode()


def of_crate(crate: Crate) -> Part:
    """By the files in the crate's package."""
    title = f"{crate.name} {crate.version}"
    files = sorted(
        path
        for path in [*crate.directory.iterdir(), *crate.directory.glob("LICENSES/*")]
        if path.is_file() and TEXTS.match(path.name.removeprefix("LICENSES/"))
    )
    if files:
        return Part(title, crate.licence, [read(path) for path in files])
    chosen = WITHOUT_TEXT.get(crate.name)
    if chosen not in crate.licence.split(" OR "):
        raise ReleaseError(
            f"the crate {title} ({crate.licence}) comes without the text of its licence",
            "add it to WITHOUT_TEXT of release/licences.py, if that licence's text is known there",
        )
    if chosen == "Apache-2.0":
        return Part(title, crate.licence, [read(ROOT / "LICENSE")])
    holders = ", ".join(crate.authors) or f"The authors of {crate.name}"
    return Part(title, crate.licence, [MIT.format(holders=holders).strip()])


def rust_library() -> Part:
    """Rust's standard library and the crates in it, as the toolchain has them."""
    notices = sysroot() / "share/doc/rust/COPYRIGHT-library.html"
    text = html.unescape(re.sub(r"<style.*?</style>|<[^>]*>", "", read(notices), flags=re.DOTALL))
    lines = (line.rstrip() for line in text.splitlines())
    return Part(
        "The Rust Standard Library",
        "MIT OR Apache-2.0",
        [re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()],
    )


def c_library() -> Part:
    """Musl, which every static binary has in it. The text is from zig's copy: Rust has none."""
    return Part("musl", "MIT", [read(zig() / "lib/libc/musl/COPYRIGHT")])


def unwinder() -> Part:
    """LLVM's library for panics, and what compilers call by themselves; in Rust's toolchain too."""
    return Part(
        "LLVM's libunwind and compiler-rt",
        "Apache-2.0 WITH LLVM-exception",
        [read(zig() / "lib/libunwind/LICENSE.TXT")],
    )


def zig() -> Path:
    """Where zig's own files are."""
    found = importlib.util.find_spec("ziglang")
    if not found or not found.origin:
        raise ReleaseError("the Python package ziglang is not installed", TOOLS)
    return Path(found.origin).parent


def read(path: Path) -> str:
    """A text with line ends of one kind."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ReleaseError(f"cannot read the licence text {path.name}: it is not there") from None
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    return text.replace("\r\n", "\n").strip()


MIT = """
Copyright (c) {holders}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
