"""The consumer's promises: one state at the end of every order, and a real queue behind it."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from consumer import ENDS, Jobs, NotOurs, milliseconds, poll, row
from moto.server import ThreadedMotoServer

BEGUN = 1_795_847_523_302
FIRST = "01a220da-8be6-7c4e-9b1f-2d6c0a3e5f71"
SECOND = "01a220db-1111-7c4e-9b1f-2d6c0a3e5f71"
LATER = BEGUN + 10_000_000


def ours(attempt: str, sequence: int, status: str, **more: Any) -> dict[str, Any]:
    """An event as lyftlearn-runtime sends it to a queue."""
    own = {"Version": 1, "EventId": f"{attempt}-{sequence}", "Attempt": attempt, "Rank": 0, **more}
    if status in ENDS:
        own |= {"Class": "completed" if status == "Completed" else "user-error"}
    else:
        own |= {"LeaseExpires": BEGUN + sequence + 300_000}
    detail: dict[str, Any] = {
        "TrainingJobName": "ranker-7",
        "TrainingJobStatus": status,
        "SecondaryStatus": "Training" if status == "InProgress" else status,
        "CreationTime": BEGUN,
        "LastModifiedTime": BEGUN + sequence,
        "Tags": {"team": "ranking"},
        "LyftLearn": {**own, "Sequence": sequence},
    }
    if status == "Failed":
        detail["FailureReason"] = "ValueError: could not convert"
    return {
        "version": "0",
        "id": f"{attempt}-{sequence}",
        "detail-type": "SageMaker Training Job State Change",
        "source": "lyftlearn.runtime",
        "time": "2026-11-28T06:32:15Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }


def sagemakers(modified: Any, status: str, **more: Any) -> dict[str, Any]:
    """An event as SageMaker sends it: a time is a text of milliseconds."""
    return {
        "version": "0",
        "id": "844e2571-85d4-695f-b930-0153b71dcb42",
        "detail-type": "SageMaker Training Job State Change",
        "source": "aws.sagemaker",
        "account": "123456789012",
        "time": "2026-11-28T06:32:15Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:sagemaker:eu-west-1:123456789012:training-job/ranker-7"],
        "detail": {
            "TrainingJobName": "ranker-7",
            "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/ranker-7",
            "TrainingJobStatus": status,
            "SecondaryStatus": "Training" if status == "InProgress" else status,
            "HyperParameters": {"lr": "0.1"},
            "CreationTime": str(BEGUN),
            "LastModifiedTime": modified,
            "Tags": {},
            **more,
        },
    }


OURS = [
    ours(FIRST, 9, "InProgress"),
    ours(FIRST, 60_010, "InProgress", Heartbeat=True),
    ours(FIRST, 61_000, "Failed"),
    ours(SECOND, 8, "InProgress", Progress={"Fraction": 0.4, "Message": "epoch 4 of 10"}),
    ours(SECOND, 30_000, "Stopping"),
    ours(SECOND, 30_500, "Stopped"),
]
# The first attempt's clock goes on in the second's milliseconds: it counts for nothing.
SAGEMAKERS = [
    sagemakers(str(BEGUN + 1), "InProgress"),
    sagemakers(str(BEGUN + 90_000), "InProgress", TrainingStartTime=str(BEGUN + 80_000)),
    sagemakers(str(BEGUN + 95_000), "Stopping"),
    # Of the same millisecond as the end.
    sagemakers(str(BEGUN + 96_000), "Stopping"),
    sagemakers(str(BEGUN + 96_000), "Stopped", TrainingEndTime=str(BEGUN + 96_000)),
]
LOST = [*OURS[:2], ours(SECOND, 7, "InProgress"), ours(SECOND, 60_007, "InProgress")]


def told(order: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """The table after these calls, and a last look at the leases."""
    jobs = Jobs(":memory:")
    for call, argument in order:
        getattr(jobs, call)(*argument)
    jobs.lose(LATER)
    return jobs.all()


@pytest.mark.parametrize("events", [OURS, SAGEMAKERS, LOST], ids=["ours", "sagemakers", "lost"])
def test_any_order_loss_and_repetition_ends_in_one_state(events: list[dict[str, Any]]) -> None:
    chance = random.Random(7)
    last = events[-1]
    expected = told([("take", (last,))])
    for order in itertools.permutations(events):
        kept = [event for event in order if event is last or chance.random() < 0.7]
        kept += chance.choices(kept, k=chance.randrange(4))
        calls: list[tuple[str, Any]] = [("take", (event,)) for event in kept]
        # The row is born before the first event, between two, or never.
        for call in chance.sample(["submitted", "lose", "lose"], k=chance.randrange(4)):
            argument = ("TrainingJob", "ranker-7", 900) if call == "submitted" else (LATER,)
            calls.insert(chance.randrange(len(calls) + 1), (call, argument))
        assert told(calls) == expected, calls


def test_every_subset_in_which_the_last_one_is_ends_in_one_state() -> None:
    last = OURS[-1]
    expected = told([("take", (last,))])
    for size in range(len(OURS)):
        for kept in itertools.combinations(OURS[:-1], size):
            assert told([("take", (event,)) for event in (last, *kept)]) == expected
            assert told([("take", (event,)) for event in (*kept, last)]) == expected


def test_what_was_lost_is_found_and_an_end_stays_one() -> None:
    jobs = Jobs(":memory:")
    jobs.submitted("TrainingJob", "ranker-7", 900)
    # The pod was never started: no event of the inside can say so.
    jobs.lose(LATER * 2)
    assert jobs.all()[0]["status"] == "Lost"
    jobs.take(OURS[0])
    jobs.lose(BEGUN + 300_008)
    assert jobs.all()[0]["status"] == "InProgress"
    jobs.lose(BEGUN + 300_010)
    assert jobs.all()[0]["status"] == "Lost"
    # An event that came before is no news.
    jobs.take(OURS[0])
    assert jobs.all()[0]["status"] == "Lost"
    # The machine had only slept.
    jobs.take(OURS[1])
    assert jobs.all()[0]["status"] == "InProgress"
    jobs.take(OURS[2])
    jobs.lose(LATER * 2)
    (end,) = jobs.all()
    assert (end["status"], end["reason"]) == ("Failed", "ValueError: could not convert")
    # Another attempt, with lower numbers.
    jobs.take(OURS[3])
    assert jobs.all()[0]["status"] == "InProgress"
    (progress,) = jobs.database.execute("SELECT fraction, message FROM progress")
    assert tuple(progress) == (0.4, "epoch 4 of 10")


def test_a_node_that_fails_is_not_the_job() -> None:
    node = ours("01a220da-ffff-7c4e-9b1f-2d6c0a3e5f71", 40, "Failed", Rank=1)
    node["detail-type"] = "LyftLearn Node State Change"
    for order in itertools.permutations([node, OURS[0]]):
        rows = told([("take", (event,)) for event in order])
        assert [(row["rank"], row["status"]) for row in rows] == [(0, "Lost"), (1, "Failed")]


def test_progress_on_sagemaker_is_no_state() -> None:
    event = ours(FIRST, 50, "InProgress", Progress={"Fraction": 1, "Message": ""})
    del event["detail"]["TrainingJobStatus"]
    jobs = Jobs(":memory:")
    jobs.take(event, SAGEMAKERS[4])
    assert [(row["status"], row["attempt"]) for row in jobs.all()] == [("Stopped", "")]
    assert len(list(jobs.database.execute("SELECT * FROM progress"))) == 1


def test_times_are_texts_numbers_and_dates() -> None:
    for moment in (str(BEGUN), BEGUN, float(BEGUN), "2026-11-28T06:32:03.302Z"):
        assert milliseconds(moment) == BEGUN
    assert milliseconds("2026-11-28T07:32:03+01:00") == BEGUN - 302
    # A transform has no LastModifiedTime: the envelope's own remains, in seconds.
    transform = {
        "time": "2026-11-28T06:32:03Z",
        "detail": {
            "TransformJobName": "t",
            "TransformJobStatus": "InProgress",
            "CreationTime": "2026-11-28T06:32:00.000Z",
        },
    }
    assert row(transform)["sequence"] == BEGUN - 302
    with pytest.raises(NotOurs):
        row({"detail-type": "SageMaker Endpoint State Change", "detail": {"EndpointName": "e"}})


def test_processing_has_its_own_words() -> None:
    event = ours(FIRST, 50, "Completed")
    detail = event["detail"]
    detail["ProcessingJobName"] = detail.pop("TrainingJobName")
    detail["ProcessingJobStatus"] = detail.pop("TrainingJobStatus")
    detail["ExitMessage"] = "done"
    (seen,) = told([("take", (event,))])
    assert (seen["kind"], seen["status"], seen["reason"]) == ("ProcessingJob", "Completed", "done")


def test_the_commands_of_the_readme(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        command = [sys.executable, str(Path(__file__).with_name("consumer.py")), "jobs.sqlite"]
        asked = subprocess.run(
            [*command, *words], cwd=tmp_path, capture_output=True, timeout=120, check=False
        )
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.decode()

    run("submit", "ranker-7", "--lease-seconds", "900")
    run("submit", "ranker-8", "--lease-seconds", "-1")
    rows = json.loads(run("show"))
    states = [(row["name"], row["status"]) for row in rows]
    assert states == [("ranker-7", "Submitted"), ("ranker-8", "Lost")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a moto server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_both_platforms_come_through_one_queue(endpoint: str, fifo: bool) -> None:
    """A rule names both sources; a job on Kubernetes may also write into the queue itself."""
    sqs, bus = client("sqs", endpoint), client("events", endpoint)
    name = "states.fifo" if fifo else "states"
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
    queue = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    rule = f"job-states-{fifo}"
    pattern = {
        "source": ["aws.sagemaker", "lyftlearn.runtime"],
        "detail-type": [{"suffix": " Job State Change"}, {"prefix": "LyftLearn "}],
    }
    bus.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    target: dict[str, Any] = {"Id": "1", "Arn": asked["Attributes"]["QueueArn"]}
    if fifo:
        target["SqsParameters"] = {"MessageGroupId": "jobs"}
    bus.put_targets(Rule=rule, Targets=[target])

    def put(event: dict[str, Any]) -> None:
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
        }
        assert bus.put_events(Entries=[entry])["FailedEntryCount"] == 0

    jobs = Jobs(":memory:")
    jobs.submitted("TrainingJob", "ranker-7", 900)
    for event in reversed(OURS[:3]):
        put(event)
    sagemakers_own = json.loads(json.dumps(SAGEMAKERS[4]).replace("ranker-7", "ranker-8"))
    put(sagemakers_own)
    group = {"MessageGroupId": "jobs", "MessageDeduplicationId": "1"} if fifo else {}
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(OURS[5]), **group)
    group = {"MessageGroupId": "other", "MessageDeduplicationId": "2"} if fifo else {}
    sqs.send_message(QueueUrl=queue, MessageBody="no event", **group)
    while poll(sqs, queue, jobs, wait_seconds=0):
        # A message that is not an event stays for the dead-letter queue, and is hidden until then.
        pass
    states = [(row["name"], row["status"], row["attempt"]) for row in jobs.all()]
    assert states == [("ranker-7", "Stopped", SECOND), ("ranker-8", "Stopped", "")]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
    bus.remove_targets(Rule=rule, Ids=["1"])
