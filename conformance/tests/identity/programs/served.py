"""A server that forks its workers, and its caller: `served.py ENDPOINT`. Says which worker answered
with which key, until each has.
"""

import http.client
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

# One client from before the fork, and of those that no fork may share one of each worker's own.
APP = """
import functools, os, sys, boto3
from botocore.config import Config
config = Config(s3={"addressing_style": "path"})
endpoint = %r
sys.path.append(%r)
import read
own = functools.cache(lambda worker, name: read.OWN[name](endpoint))
client = boto3.client("s3", endpoint_url=endpoint, config=config)
def app(environ, start):
    client.get_object(Bucket="bucket", Key="boto3.csv")["Body"].read()
    for name in read.OWN:
        own(os.getpid(), name)()
    key = boto3.Session().get_credentials().access_key
    start("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {key}".encode()]
"""


def ask(path: str) -> str:
    connection = http.client.HTTPConnection("localhost", timeout=120)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(120)
    connection.sock.connect(path)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


with tempfile.TemporaryDirectory() as directory:
    Path(directory, "app.py").write_text(APP % (sys.argv[1], str(Path(__file__).parent)))
    listening = Path(directory, "socket")
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--timeout", "60"]
    server = subprocess.Popen(
        [*command, "--bind", f"unix:{listening}", "--chdir", directory, "app:app"],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in server.stderr:
        if "Booting worker" in line:
            break
    workers: set[str] = set()
    while len(workers) < 2:
        said = ask(str(listening))
        if said.split()[0] not in workers:
            workers.add(said.split()[0])
            print(said, flush=True)
    server.terminate()
    server.communicate()
