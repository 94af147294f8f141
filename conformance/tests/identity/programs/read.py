"""Reads `s3://bucket/CLIENT.csv` as a user of that client would, with the identity that the
client finds by itself: `read.py ENDPOINT CLIENT…`. Each client runs as a process of its own;
what fails is told on stderr, by name. `read.py ENDPOINT --each CLIENT` is such a process that reads
once for each line of its standard input.
"""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
BUCKET = "bucket"
REGION = "eu-west-1"
JAVA = ("java", "java-old", "java-s3a")
AT_ONCE = 4


Read = Callable[[], object]


def boto3(endpoint: str) -> Read:
    import boto3
    from botocore.config import Config

    config = Config(s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION, config=config)

    def read() -> None:
        client.get_object(Bucket=BUCKET, Key="boto3.csv")["Body"].read()

    return read


def s3fs(endpoint: str) -> Read:
    import s3fs

    system = s3fs.S3FileSystem(endpoint_url=endpoint, client_kwargs={"region_name": REGION})
    return lambda: system.cat(f"{BUCKET}/s3fs.csv")


def pyarrow(endpoint: str) -> Read:
    from pyarrow import fs

    system = fs.S3FileSystem(endpoint_override=endpoint, region=REGION)
    return lambda: system.open_input_file(f"{BUCKET}/pyarrow.csv").read()


def s3torchconnector(endpoint: str) -> Read:
    # The part of it that reads; the rest is torch's.
    from s3torchconnectorclient._mountpoint_s3_client import MountpointS3Client

    client = MountpointS3Client(
        region=REGION, user_agent_prefix="conformance", endpoint=endpoint, force_path_style=True
    )
    return lambda: b"".join(client.get_object(BUCKET, "s3torchconnector.csv"))


def polars(endpoint: str) -> Read:
    import polars

    options = {"aws_endpoint_url": endpoint, "aws_allow_http": "true", "aws_region": REGION}
    source = f"s3://{BUCKET}/polars.csv"
    return lambda: polars.scan_csv(source, storage_options=options).collect()


def deltalake(endpoint: str) -> Read:
    from deltalake import DeltaTable

    options = {"aws_endpoint_url": endpoint, "aws_allow_http": "true", "aws_region": REGION}
    table = DeltaTable(f"s3://{BUCKET}/deltalake", storage_options=options)
    return table.update_incremental


def java(endpoint: str, name: str) -> contextlib.AbstractContextManager[Read]:
    import read_java

    return read_java.reader(endpoint, name)


OWN = {
    "boto3": boto3,
    "s3fs": s3fs,
    "pyarrow": pyarrow,
    "polars": polars,
    "deltalake": deltalake,
    "s3torchconnector": s3torchconnector,
}


def here(endpoint: str, name: str) -> contextlib.AbstractContextManager[Read]:
    return contextlib.nullcontext(OWN[name](endpoint)) if name in OWN else java(endpoint, name)


def command(name: str, endpoint: str) -> list[str]:
    """Those that are programs already."""
    source = f"s3://{BUCKET}/{name}.csv"
    copy = ["s3", "cp", source, "-", "--endpoint-url", endpoint, "--region", REGION]
    return {
        "aws-cli-1": [str(BIN.parents[1] / "cli/bin/aws"), *copy],
        "aws-cli-2": ["/usr/bin/aws", *copy],
        "s5cmd": [str(BIN / "s5cmd"), "--endpoint-url", endpoint, "cat", source],
        "rclone": [
            *("rclone", "--config", "/dev/null", "--s3-provider", "Other", "--s3-env-auth"),
            *("--s3-endpoint", endpoint, "cat", f":s3:{BUCKET}/{name}.csv"),
        ],
        "javascript": ["node", str(HERE / "read.mjs"), endpoint],
        "go-1": ["/opt/go/aws-1", endpoint],
        "go-2": ["/opt/go/aws-2", endpoint],
        "rust": ["/opt/programs/caller", endpoint],
        "rust-provider": ["/opt/programs/caller", endpoint, "provider"],
    }[name]


def main() -> int:
    endpoint, *names = sys.argv[1:]
    if names[0] in ("--here", "--each"):
        lines = sys.stdin if names[0] == "--each" else [""]
        with here(endpoint, names[1]) as read:
            for _ in lines:
                read()
        return 0

    def failure(name: str) -> Optional[str]:
        again = [sys.executable, "-B", __file__, endpoint, "--here", name]
        argv = again if name in (*OWN, *JAVA) else command(name, endpoint)
        ended = subprocess.run(argv, check=False, capture_output=True, timeout=120)
        said = ended.stderr.decode(errors="replace")[-2000:]
        return f"{name}: {ended.returncode}\n{said}" if ended.returncode else None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        failures = [failed for failed in pool.map(failure, names) if failed]
    print(*failures, sep="\n", file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())
