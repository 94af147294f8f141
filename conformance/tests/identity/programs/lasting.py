"""One client that reads until it has done so with N different keys: `lasting.py ENDPOINT N`. Says
each when it is new.
"""

import sys

import boto3
from botocore.config import Config

config = Config(s3={"addressing_style": "path"})
client = boto3.client("s3", endpoint_url=sys.argv[1], config=config)
known: list[str] = []


def signed(request: object, **_: object) -> None:
    header = request.headers["Authorization"]
    text = header.decode() if isinstance(header, bytes) else header
    key = text.partition("Credential=")[2].partition("/")[0]
    if key not in known:
        known.append(key)
        print(key, flush=True)


client.meta.events.register("before-send.s3", signed)
while len(known) < int(sys.argv[2]):
    client.get_object(Bucket="bucket", Key="boto3.csv")["Body"].read()
