"""What a job's platform has of it: a queue, which is moto's, and the table that the example's
consumer keeps of what comes there.

Says on stdout where the queue is; answers each line on stdin with the table; ends when its stdin
does. Listens on loopback, or on the address that is its argument.
"""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "examples/job-events"))
from consumer import Jobs, poll


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    server = ThreadedMotoServer(ip_address=address, port=0, verbose=False)
    with contextlib.redirect_stdout(io.StringIO()):
        server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://{address}:{port}"
    sqs = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    sqs.create_queue(QueueName="jobs")
    queue = f"{endpoint}/123456789012/jobs"
    print(queue, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        jobs = Jobs(f"{directory}/jobs.sqlite")
        for _ in sys.stdin:
            while poll(sqs, queue, jobs, wait_seconds=0):
                pass
            print(json.dumps({job["name"]: job for job in jobs.all()}), flush=True)


main()
