"""A region as PID 1 makes it: its header written out, as the contract between two programs."""

import os
import struct
import uuid
from pathlib import Path

MEBIBYTE = 1 << 20


def make(run: Path, size: int = MEBIBYTE) -> Path:
    """`metrics.region` in a run directory; allocated, and empty."""
    boot = uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).int
    namespace = int(os.readlink("/proc/self/ns/pid").strip("pid:[]"))
    header = struct.pack(
        "<8sQQQQQ", b"lyftmetr", 1, size // 8, boot >> 64, boot & (1 << 64) - 1, namespace
    )
    path = run / "metrics.region"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.posix_fallocate(descriptor, 0, size)
    os.pwrite(descriptor, header, 0)
    os.close(descriptor)
    return path
