"""What is made around a binary: equal bytes, true lists, and nothing of this machine."""

import base64
import csv
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import audit
import compiler
import crates
import licences
import product
import pytest
from conftest import BUILT, Packaged
from contents import files, walk

FORMS = ("*-musl.tar.gz", "*.whl", "*.deb", "*-oci.tar")


def test_packaging_twice_gives_the_same_bytes(packaged: Packaged) -> None:
    names = sorted(path.name for path in packaged.first.iterdir())
    assert names == sorted(path.name for path in packaged.second.iterdir())
    assert len(names) == 9
    for name in names:
        first, second = packaged.first / name, packaged.second / name
        assert first.read_bytes() == second.read_bytes(), name


@pytest.mark.parametrize("form", FORMS)
def test_the_licences_of_all_that_is_linked_go_along(packaged: Packaged, form: str) -> None:
    found = files(packaged.one(form))
    texts = b"\n".join(found.values())
    assert b"TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in texts
    (third,) = {content for name, content in found.items() if "THIRD-PARTY" in name}
    for part in (b"ring 0.17", b"musl: MIT", b"The Rust Standard Library: MIT OR Apache-2.0"):
        assert part in third, part
    # The texts, not only the names.
    for line in (b"Rich Felker", b"Copyright (c) The Rust Project Developers", b"Brian Smith"):
        assert line in third, line


def test_the_library_has_licences_of_its_own_crates(library: Path) -> None:
    found = files(library)
    (third,) = (content for name, content in found.items() if name.endswith("THIRD-PARTY.txt"))
    assert b"pyo3 0." in third
    assert b"aws-config" not in third
    (metadata,) = (content for name, content in found.items() if name.endswith("/METADATA"))
    assert b"\nLicense-File: LICENSE\n" in metadata
    assert b"\nLicense-File: THIRD-PARTY.txt\n" in metadata


@pytest.mark.parametrize("processor", product.PROCESSORS, ids=lambda processor: processor.name)
def test_the_released_checker_has_the_client_of_kubernetes(processor: product.Processor) -> None:
    assert crates.features("lyftlearn-conformance") == ["--features=kubernetes"]
    checker = crates.linked("lyftlearn-conformance", processor.static)
    assert b"\nkube-client " in licences.third_party(checker, static=True)
    assert b'"kube-client"' in zlib.decompress(audit.section(checker))


def test_no_artefact_names_a_directory_of_this_machine(packaged: Packaged, library: Path) -> None:
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    sysroot = product.output(["rustc", "--print", "sysroot"]).strip()
    directories = [str(product.ROOT), str(cargo), sysroot, str(packaged.first)]
    looked_at = 0
    for path in [*packaged.first.iterdir(), library]:
        for name, content in files(path).items():
            looked_at += 1
            for directory in directories:
                assert directory.encode() not in content, f"{path.name}: {name}: {directory}"
    assert looked_at > 40


def test_manuals_and_completions_are_where_each_system_looks(packaged: Packaged) -> None:
    top = f"{product.TITLE}-{product.version()}-{product.this_machine().static}"
    data = f"lyftlearn_runtime_bin-{product.version()}.data/data/share"
    for form, names in {
        "lyftlearn-runtime-*-musl.tar.gz": (
            f"{top}/completions/lyftlearn-runtime.bash",
            f"{top}/completions/lyftlearn-runtime.fish",
            f"{top}/completions/_lyftlearn-runtime",
            f"{top}/man/man1/lyftlearn-runtime-run.1",
        ),
        "*.deb": (
            "./usr/share/bash-completion/completions/lyftlearn-runtime",
            "./usr/share/fish/vendor_completions.d/lyftlearn-runtime.fish",
            "./usr/share/zsh/vendor-completions/_lyftlearn-runtime",
            "./usr/share/man/man1/lyftlearn-runtime-run.1.gz",
        ),
        "*.whl": (
            f"{data}/bash-completion/completions/lyftlearn-runtime",
            f"{data}/fish/vendor_completions.d/lyftlearn-runtime.fish",
            f"{data}/zsh/site-functions/_lyftlearn-runtime",
            f"{data}/man/man1/lyftlearn-runtime-run.1",
        ),
    }.items():
        found = files(packaged.one(form))
        for name in names:
            known = found.get(name) or found.get(name.removesuffix(".gz"))
            assert known, f"{name} in {sorted(found)}"
            assert b"signal-scope" in known.replace(b"\\", b""), name
        assert not any("conformance" in name for name in found), form


def test_the_symbols_belong_to_the_binary(packaged: Packaged) -> None:
    debug = files(packaged.one("*-debug.tar.gz"))
    (symbols,) = debug.values()
    runtime = (BUILT / product.TITLE).read_bytes()
    assert build_id(symbols) == build_id(runtime)
    assert b"main.rs" in symbols
    # The names of sections; the standard library itself has the words.
    assert b"\0.debug_line\0" in symbols
    assert b"\0.debug_line\0" not in runtime
    assert b"\0.gnu_debuglink\0" in runtime


def test_the_binary_is_static_and_its_address_is_random() -> None:
    elf = (BUILT / product.TITLE).read_bytes()
    kind, offset, size, count = (
        int.from_bytes(elf[place : place + length], "little")
        for place, length in ((16, 2), (32, 8), (54, 2), (56, 2))
    )
    headers = [elf[offset + size * number :][:size] for number in range(count)]
    kinds = [int.from_bytes(header[:4], "little") for header in headers]
    position_independent, interpreter, stack, executable = 3, 3, 0x6474E551, 1
    assert kind == position_independent
    assert interpreter not in kinds
    assert not headers[kinds.index(stack)][4] & executable


def build_id(elf: bytes) -> bytes:
    """By the note's name and type: `GNU`, 3."""
    place = elf.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")
    return elf[place + 16 : place + 36]


def bill(content: bytes) -> dict[str, str]:
    """Name and version of each component; the document's own rules are checked on the way."""
    document = json.loads(content)
    assert document["bomFormat"] == "CycloneDX"
    components = document["components"]
    known = {part["bom-ref"] for part in components} | {
        document["metadata"]["component"]["bom-ref"]
    }
    assert {line["ref"] for line in document["dependencies"]} == known
    for line in document["dependencies"]:
        assert set(line["dependsOn"]) <= known
    return {part["name"]: part["version"] for part in components if part["licenses"]}


def linked(package: str, triple: str) -> set[str]:
    """What cargo says, asked in another way than the product does."""
    asked = ["cargo", "tree", "--locked", "-e", "normal,no-proc-macro", "-p", package]
    lines = product.output([*asked, "--target", triple, "--prefix", "none", "--no-dedupe"])
    return {line.split()[0] for line in lines.splitlines()} - {package}


@pytest.mark.parametrize("form", FORMS)
def test_the_bill_of_materials_lists_what_is_linked(packaged: Packaged, form: str) -> None:
    path = packaged.one(form)
    expected = linked(product.TITLE, product.this_machine().static) | {"std", "musl"}
    inside = [content for name, content in files(path).items() if ".cdx.json" in name]
    (beside,) = packaged.first.glob(f"{path.name}*.cdx.json")
    for content in [*inside, beside.read_bytes()]:
        assert set(bill(content)) == expected
    assert inside
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest.encode() in beside.read_bytes()


def test_the_library_s_bill_is_of_the_library(library: Path) -> None:
    (content,) = (content for name, content in files(library).items() if ".cdx.json" in name)
    parts = bill(content)
    assert set(parts) == linked("lyftlearn-runtime-py", product.this_machine().glibc) | {"std"}
    assert "pyo3" in parts
    assert "tokio" not in parts


def test_the_binary_itself_lists_its_crates(packaged: Packaged, tmp_path: Path) -> None:
    dumped = tmp_path / "crates"
    dump = f"--dump-section=.dep-v0={dumped}"
    compiler.objcopy(dump, BUILT / product.TITLE, tmp_path / "copy")
    packages = json.loads(zlib.decompress(dumped.read_bytes()))["packages"]
    names = {package["name"] for package in packages}
    assert names == linked(product.TITLE, product.this_machine().static) | {product.TITLE}
    (root,) = (package for package in packages if package.get("root"))
    assert root["name"] == product.TITLE
    assert all(max(package.get("dependencies", [0])) < len(packages) for package in packages)


def test_one_version_is_everywhere(packaged: Packaged, library: Path) -> None:
    version = product.version()
    for path in [*packaged.first.iterdir(), library]:
        assert version in path.name
    asked = [str(BUILT / product.TITLE), "--version"]
    assert product.output(asked) == f"lyftlearn-runtime {version}\n"
    control = files(packaged.one("*.deb"))["./control"].decode()
    assert f"\nVersion: {version}\n" in control


def test_the_changelog_begins_with_this_version_and_its_date() -> None:
    text = (product.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = next(line for line in text.splitlines() if line.startswith("## "))
    assert re.fullmatch(rf"## {re.escape(product.version())}, \d{{4}}-\d\d-\d\d", first), first


def test_pip_of_either_c_library_takes_the_wheel_of_the_binary(packaged: Packaged) -> None:
    wheel = packaged.one("*.whl")
    processor = product.this_machine().name
    for family in ("manylinux_2_17", "manylinux2014", "musllinux_1_1"):
        assert f"{family}_{processor}" in wheel.name
        (tags,) = (content for name, content in files(wheel).items() if name.endswith("/WHEEL"))
        assert f"Tag: py3-none-{family}_{processor}\n".encode() in tags


def test_pip_installs_the_binary(packaged: Packaged, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    wheel = str(packaged.one("*.whl"))
    subprocess.run([*pip, "--ignore-installed", f"--prefix={prefix}", wheel], check=True)
    installed = str(prefix / "bin/lyftlearn-runtime")
    assert product.output([installed, "--version"]).startswith("lyftlearn-runtime ")


@pytest.mark.parametrize("of", ["binary", "library"])
def test_the_list_of_a_wheel_s_files_is_right(packaged: Packaged, library: Path, of: str) -> None:
    path = library if of == "library" else packaged.one("*.whl")
    with zipfile.ZipFile(path) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith("/RECORD"))
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        assert {row[0] for row in rows} == set(archive.namelist())
        for name, digest, size in rows:
            if name == record:
                continue
            content = archive.read(name)
            encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            assert (digest, size) == (f"sha256={encoded.decode()}", str(len(content)))


def test_the_debian_package_is_root_s_and_of_the_release_s_moment(packaged: Packaged) -> None:
    path = str(packaged.one("*.deb"))
    unpacked = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        for member in archive:
            assert (member.uid, member.gid) == (0, 0)
            # dpkg-deb lowers later times; an older file or directory keeps its own.
            assert member.mtime == product.moment(), member.name
        assert archive.getmember("./usr/bin/lyftlearn-runtime").mode & 0o777 == 0o755


def test_every_blob_of_the_image_is_what_its_descriptor_says(packaged: Packaged) -> None:
    with tarfile.open(packaged.one("*-oci.tar")) as archive:

        def blob(descriptor: dict[str, object]) -> bytes:
            digest = str(descriptor["digest"])
            opened = archive.extractfile(f"blobs/{digest.replace(':', '/')}")
            assert opened
            content = opened.read()
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
            assert len(content) == descriptor["size"]
            return content

        opened = archive.extractfile("index.json")
        assert opened
        (top,) = json.load(opened)["manifests"]
        assert top["digest"] == packaged.digest
        index = json.loads(blob(top))
        assert index["annotations"]["org.opencontainers.image.version"] == product.version()
        for image in index["manifests"]:
            manifest = json.loads(blob(image))
            config = json.loads(blob(manifest["config"]))
            assert config["architecture"] == image["platform"]["architecture"]
            (layer,) = manifest["layers"]
            unpacked = gzip.decompress(blob(layer))
            diff = f"sha256:{hashlib.sha256(unpacked).hexdigest()}"
            assert config["rootfs"]["diff_ids"] == [diff]
            content = dict(walk("layer", unpacked))
            (entry,) = config["config"]["Entrypoint"]
            assert content[entry.lstrip("/")] == (BUILT / product.TITLE).read_bytes()
