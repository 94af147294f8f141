"""What job state events are sent to: moto in the place of AWS, with signatures and permissions
enforced, and stand-ins between that fail as they are told to.

Says on stdout where everything is; answers questions on stdin, a line of JSON each; ends when its
stdin does. A rule leads from a bus to a standard and to a FIFO queue. What a queue has is looked at
in moto itself: a message that is received and deleted is forgotten by its deduplication.
"""

import contextlib
import http.client
import io
import json
import os
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# Before the import of moto: until it is changed, no call is authenticated.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "1000000"

import boto3
import moto.backends
import requests
import tls
from moto.server import ThreadedMotoServer

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "examples/job-events"))
from consumer import Jobs

REGION, ACCOUNT, BUS = "eu-west-1", "123456789012", "ml"
QUEUES = ("by-rule", "by-rule.fifo", "direct", "direct.fifo")
MAY = ["events:PutEvents", "sqs:SendMessage"]
# Steps of a stand-in: pass it on; pass it on and lose the answer; never answer.
PASS, LOSE, HANG = "pass", "lose", "hang"


class Between(ThreadingHTTPServer):
    """Between a runtime and moto, or a sink by itself: each request has its step, the last of
    them every one that follows."""

    daemon_threads = True
    request_queue_size = 256
    steps: list[Any]
    moto: int
    seen: list[dict[str, Any]]
    lock: threading.Lock


class Handler(BaseHTTPRequestHandler):
    server: Between
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        with server.lock:
            at = len(server.seen)
            asked = {
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body.decode(),
                "at": time.time(),
            }
            server.seen.append(asked)
            step = server.steps[min(at, len(server.steps) - 1)]
            if isinstance(step, dict) and "until" in step:
                passed = asked["at"] - server.seen[0]["at"]
                step = step["then"] if passed >= step["until"] else step["step"]
        if step in (PASS, LOSE):
            status, headers, answer = self.passed_on(body)
            if step == LOSE:
                self.close_connection = True
                return None
            return self.answer(status, headers, answer)
        if step == HANG:
            # Until the client gives up.
            self.rfile.read(1)
            self.close_connection = True
            return None
        headers = {"Content-Type": "application/json", **step.get("headers", {})}
        return self.answer(step["status"], headers, json.dumps(step.get("body", {})).encode())

    def passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Moto's answer. A signature stays whole when the host is what it was."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.moto, timeout=120)
        with contextlib.closing(connection):
            connection.request("POST", self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            return (
                answer.status,
                {"Content-Type": answer.getheader("Content-Type", "")},
                answer.read(),
            )

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # The client may have given up.
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def between(moto: int, steps: list[Any]) -> Between:
    server = Between(("127.0.0.1", 0), Handler)
    server.steps, server.moto, server.seen, server.lock = steps, moto, [], threading.Lock()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def name_of(event: dict[str, Any]) -> str:
    detail = event["detail"]
    return next(value for name, value in detail.items() if name.endswith("JobName"))


def sent_to(queue: str) -> list[dict[str, Any]]:
    """The events in a queue, in the order in which they came."""
    backend = moto.backends.get_backend("sqs")[ACCOUNT][REGION]
    return [json.loads(message.body) for message in list(backend.queues[queue]._messages)]


def rows(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the example's consumer makes of them, in whichever order and however often."""
    jobs = Jobs(":memory:")
    chance = random.Random(7)
    shuffled = events + chance.sample(events, k=len(events) // 2)
    chance.shuffle(shuffled)
    for event in shuffled:
        jobs.take(event)
    return jobs.all()


def role(iam: Any, name: str, actions: list[str]) -> str:
    trust = [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    may = [{"Effect": "Allow", "Action": actions, "Resource": "*"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": may})
    iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document)
    return arn


def prepare(endpoint: str) -> dict[str, Any]:
    """Queues, a bus with its rule, and two identities."""
    os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_DEFAULT_REGION=REGION)
    os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none")
    sqs, events, iam, sts = (boto3.client(name) for name in ("sqs", "events", "iam", "sts"))
    events.create_event_bus(Name=BUS)
    pattern = json.dumps({"source": ["lyftlearn.runtime", "aws.sagemaker"]})
    events.put_rule(Name="states", EventBusName=BUS, EventPattern=pattern)
    urls = {}
    for name in QUEUES:
        fifo = name.endswith(".fifo")
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        urls[name] = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        if name.startswith("by-rule"):
            arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
            target: dict[str, Any] = {"Id": name, "Arn": arn}
            if fifo:
                target["SqsParameters"] = {"MessageGroupId": "jobs"}
            events.put_targets(Rule="states", EventBusName=BUS, Targets=[target])
    identities = {}
    for name, actions in (("job", MAY), ("powerless", ["s3:GetObject"])):
        arn = role(iam, name, actions)
        identities[name] = sts.assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
    return {"queues": urls, "identities": identities}


def main() -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with contextlib.redirect_stderr(io.StringIO()):
        server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    ready = {"aws": endpoint, **prepare(endpoint)}
    # From here on every call must be signed with permitted credentials.
    answer = requests.post(
        f"{endpoint}/moto-api/reset-auth",
        data=b"0",
        headers={"Content-Type": "text/plain"},
        timeout=120,
    )
    answer.raise_for_status()
    root, context = tls.trust()
    print(json.dumps({**ready, "root": root}, default=str), flush=True)
    standing: dict[int, Between] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        told: Any
        if "between" in asked:
            made = between(port, asked["between"])
            standing[made.server_port] = made
            told = made.server_port
        elif "tls" in asked:
            told = tls.before(context, asked["tls"])
        elif "seen" in asked:
            told = standing[asked["seen"]].seen
        else:
            events = [event for event in sent_to(asked["queue"]) if name_of(event) == asked["job"]]
            told = {"events": events, "rows": rows(events)}
        print(json.dumps(told), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
