"""The world around an identity: a platform's credential endpoints on their link-local addresses,
moto in the place of AWS, and a proxy. All of them write down who came with what.

Says a line of JSON on stdout when they serve. Each line on stdin is a question, answered by a
line: `{"mood": {…}}` changes how the endpoints answer, `{"sts": {…}}` how STS does, `{}` changes
nothing; the answer is what was seen so far. Ends when stdin does.

A program in the network asks `/watch/CLIENT/come`, which is answered once that client has come, or
`/watch/CLIENT/over`, which is once the key that it came with last has ended. As AWS does, moto's
place refuses a key that has.
"""

import contextlib
import io
import itertools
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import parse_qsl

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

REGION = "eu-west-1"
# None of those that no proxy may see.
ELSEWHERE = "10.9.8.7"
ENDPOINTS = (
    (socket.AF_INET, "169.254.170.2"),
    (socket.AF_INET, "169.254.170.23"),
    (socket.AF_INET6, "fd00:ec2::23"),
)
DELTA = {"deltalake/_delta_log/00000000000000000000.json"}
CANARY = sys.argv[1]
OBJECTS = sys.argv[2:]

# Nothing that is watched for takes longer.
PATIENCE = 60

lock = threading.Lock()
noted = threading.Condition(lock)
mood: dict[str, Any] = {"life": 3600}
sts: dict[str, Any] = {}
seen: dict[str, list[Any]] = {"endpoint": [], "aws": [], "proxy": []}
numbers = itertools.count(1)
flaps = itertools.count()
# When each key ends.
ends: dict[str, float] = {}


def note(where: str, what: object) -> None:
    with noted:
        seen[where].append(what)
        noted.notify_all()


def credentials() -> dict[str, str]:
    number = 0 if mood.get("same") else next(numbers)
    until = datetime.now(timezone.utc) + timedelta(seconds=mood["life"])
    key = f"ASIA{number:012}"
    if "until" not in mood:
        ends[key] = int(until.timestamp())
    return {
        "AccessKeyId": key,
        "SecretAccessKey": CANARY,
        "Token": f"token-{number}",
        "Expiration": mood.get("until") or until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


class Endpoint(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        note(
            "endpoint",
            {
                "host": self.connection.getsockname()[0],
                "path": self.path,
                "token": self.headers["Authorization"],
            },
        )
        if mood.get("hangs"):
            time.sleep(3600)
        time.sleep(mood.get("slow", 0))
        status = mood.get("status", 200)
        # Every second response fails.
        if mood.get("flaps") and next(flaps) % 2 == 0:
            status = 503
        body = json.dumps(credentials() if status == 200 else {}).encode()
        if mood.get("garbage"):
            body = b"<html>"
        date = datetime.now(timezone.utc) + timedelta(seconds=mood.get("date", 0))
        self.send_response_only(status)
        self.send_header("Date", format_datetime(date, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def client(environ: dict[str, Any]) -> Optional[str]:
    """By the object that is its own, or else by its own word."""
    found = re.match(r"/bucket/([\w-]+)", environ["PATH_INFO"])
    found = found or re.search(r"\bapp/([\w-]+)", environ.get("HTTP_USER_AGENT", ""))
    return found and found[1]


def over(key: Optional[str]) -> bool:
    return key in ends and time.time() >= ends[key]


def watch(name: str, what: str) -> bool:
    def keys() -> list[Optional[str]]:
        return [entry["key"] for entry in seen["aws"] if entry["client"] == name]

    with noted:
        if not noted.wait_for(keys, PATIENCE) or what == "come":
            return bool(keys())
        key = keys()[-1]
        noted.wait_for(lambda: over(key), max(0, ends.get(key, 0) - time.time()))
        return over(key)


class Recorder:
    """Before moto: who signed what, and which keys STS gave."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/watch/"):
            happened = watch(*environ["PATH_INFO"].split("/")[2:])
            start("200 OK" if happened else "504 Not Seen", [])
            return []
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        key = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        form = dict(parse_qsl(body.decode())) if b"Action=" in body else {}
        entry = {
            "client": client(environ),
            "path": environ["PATH_INFO"],
            "key": key and key[1],
            "token": environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
            "form": form,
            "refused": over(key and key[1]),
        }
        note("aws", entry)
        if entry["refused"]:
            start("403 Forbidden", [("Content-Type", "text/xml")])
            return [b"<Error><Code>ExpiredToken</Code><Message>It has.</Message></Error>"]
        if sts.get("hangs") and form:
            time.sleep(3600)
        if sts and form:
            start(f"{sts['status']} Refused", [("Content-Type", "text/xml")])
            if "code" not in sts:
                return [b"<html>"]
            text = f"<ErrorResponse><Error><Code>{sts['code']}</Code><Message>{CANARY}</Message>"
            return [f"{text}</Error><RequestId>1</RequestId></ErrorResponse>".encode()]
        answer = b"".join(self.app(environ, start))
        found = re.search(rb"<AccessKeyId>(\w+)</AccessKeyId>", answer)
        if form and found:
            entry["given"] = found[1].decode()
        return [answer]


class Quiet(WSGIRequestHandler):
    def log(self, *_: object, **__: object) -> None:
        pass


def proxy(listener: socket.socket, target: tuple[str, int]) -> None:
    """Passes everything to `target`, and writes down its first lines."""

    def pipe(source: socket.socket, sink: socket.socket) -> None:
        # Either side may hang up while the other is read.
        with source, sink, contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                sink.sendall(part)

    def serve(client: socket.socket) -> None:
        head = client.recv(1 << 16)
        note("proxy", head.decode("latin-1"))
        server = socket.create_connection(target)
        server.sendall(head)
        threading.Thread(target=pipe, args=(client, server), daemon=True).start()
        pipe(server, client)

    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


def fill() -> None:
    backend = get_backend("s3")["123456789012"]["aws"]
    backend.create_bucket("bucket", REGION)
    # Without, moto speaks of a version `null`, and does not know it when rclone asks for that.
    backend.put_bucket_versioning("bucket", "Enabled")
    for name in OBJECTS:
        backend.put_object("bucket", f"{name}.csv", b"a,b\n1,2\n")
    protocol = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    field = {"name": "a", "type": "long", "nullable": True, "metadata": {}}
    schema = {"type": "struct", "fields": [field]}
    table = {
        "id": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(schema),
        "partitionColumns": [],
        "configuration": {},
        "createdTime": 0,
    }
    log = f"{json.dumps(protocol)}\n{json.dumps({'metaData': table})}\n".encode()
    for name in DELTA:
        backend.put_object("bucket", name, log)


def main() -> None:
    for family, host in ENDPOINTS:

        class Server(ThreadingHTTPServer):
            address_family = family
            daemon_threads = True
            request_queue_size = 128

        threading.Thread(target=Server((host, 80), Endpoint).serve_forever, daemon=True).start()
    app = Recorder(DomainDispatcherApplication(create_backend_app))
    aws = make_server("0.0.0.0", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=aws.serve_forever, daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0))
    passes = (listener, ("127.0.0.1", aws.port))
    threading.Thread(target=proxy, args=passes, daemon=True).start()
    fill()
    ready = {
        "aws": f"http://127.0.0.1:{aws.port}",
        "elsewhere": f"http://{ELSEWHERE}:{aws.port}",
        "proxy": f"http://127.0.0.1:{listener.getsockname()[1]}",
    }
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        with lock:
            for now, name in ((mood, "mood"), (sts, "sts")):
                if name in question:
                    now.clear()
                    now.update(question[name])
            print(json.dumps(seen), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
