"""Takes metrics by OTLP/HTTP, strictly, and adds each request as a line of JSON to a file.

collector.py FILE STATUS [ROOT]

With ROOT by TLS; the root of trust is written there.
"""

import contextlib
import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import tls
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

RECEIVED = Path(sys.argv[1])
STATUS = int(sys.argv[2])


class Collector(BaseHTTPRequestHandler):
    """Answers one request a connection."""

    def do_POST(self) -> None:
        """Takes what the protocol allows, and nothing else."""
        assert self.path == "/v1/metrics", self.path
        assert self.headers["Content-Type"] == "application/x-protobuf"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        request = ExportMetricsServiceRequest()
        assert request.ParseFromString(body) == len(body)
        assert request.SerializeToString(deterministic=True) and not unknown(request)
        with RECEIVED.open("a") as received:
            document = MessageToDict(request)
            document["key"] = self.headers["Api-Key"]
            received.write(json.dumps(document) + "\n")
        answer = ExportMetricsServiceResponse().SerializeToString()
        self.send_response(STATUS)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        # The client may have ended meanwhile.
        with contextlib.suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def unknown(message: object) -> bool:
    """Whether a message, or one of its parts, has fields that the protocol does not."""
    if not isinstance(message, Message):
        return False
    if len(UnknownFieldSet(message)) > 0:
        return True
    for field, value in message.ListFields():
        if field.message_type is not None:
            parts = value if field.is_repeated else [value]
            if any(unknown(part) for part in parts):
                return True
    return False


server = HTTPServer(("127.0.0.1", 0), Collector)
for root in sys.argv[3:]:
    text, context = tls.trust()
    Path(root).write_text(text)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
