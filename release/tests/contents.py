"""What is in an artefact, whatever its form."""

import gzip
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path


def files(path: Path) -> dict[str, bytes]:
    """Every file in the artefact by its name, however deep."""
    return dict(walk(path.name, path.read_bytes()))


def walk(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    if content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                opened = archive.extractfile(member)
                if opened:
                    yield from walk(member.name, opened.read())
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as zipped:
            for place in zipped.infolist():
                yield from walk(place.filename, zipped.read(place))
    elif content[:8] == b"!<arch>\n":
        for option in ("--fsys-tarfile", "--ctrl-tarfile"):
            command = ["dpkg-deb", option, "/dev/stdin"]
            unpacked = subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True)
            yield from walk(option, unpacked.stdout)
    else:
        yield name, content
