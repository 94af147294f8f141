"""Keeps a table of jobs that is true, from a queue of job state events.

SageMaker's own events and those of lyftlearn-runtime go through the same code, in any order and any
number of times. What decides is one conditional upsert: the event with the highest number wins.
"""

from __future__ import annotations

import argparse
import json
import logging
import sqlite3
import time
from datetime import datetime
from typing import Any

import boto3  # type: ignore[import-untyped]

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    kind TEXT NOT NULL,            -- TrainingJob, ProcessingJob, TransformJob
    name TEXT NOT NULL,
    rank INTEGER NOT NULL,         -- 0 is the job; any other is a node that has failed
    attempt TEXT NOT NULL,         -- sorts by start; '' for SageMaker, and before the first event
    sequence INTEGER NOT NULL,     -- grows with each event of an attempt
    status TEXT NOT NULL,
    secondary_status TEXT,
    reason TEXT,
    lease INTEGER,                 -- milliseconds since 1970; NULL: nobody has to renew it
    detail TEXT NOT NULL,
    PRIMARY KEY (kind, name, rank)
);
CREATE TABLE IF NOT EXISTS progress (
    kind TEXT NOT NULL, name TEXT NOT NULL, attempt TEXT NOT NULL, sequence INTEGER NOT NULL,
    fraction REAL NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (kind, name)
);
"""
# The whole duty: a number that is not higher changes nothing.
UPSERT = """
INSERT INTO jobs VALUES (:kind, :name, :rank, :attempt, :sequence, :status, :secondary_status,
                         :reason, :lease, :detail)
ON CONFLICT (kind, name, rank) DO UPDATE SET
    attempt = excluded.attempt, sequence = excluded.sequence, status = excluded.status,
    secondary_status = excluded.secondary_status, reason = excluded.reason,
    lease = excluded.lease, detail = excluded.detail
WHERE (excluded.attempt, excluded.sequence) > (jobs.attempt, jobs.sequence)
"""
UPSERT_PROGRESS = """
INSERT INTO progress VALUES (:kind, :name, :attempt, :sequence, :fraction, :message)
ON CONFLICT (kind, name) DO UPDATE SET
    attempt = excluded.attempt, sequence = excluded.sequence,
    fraction = excluded.fraction, message = excluded.message
WHERE (excluded.attempt, excluded.sequence) > (progress.attempt, progress.sequence)
"""
# Lost, until a later event says otherwise: the numbers stay as they are.
LOSE = """
UPDATE jobs SET status = 'Lost', reason = 'no event has arrived since the lease ended'
WHERE lease < ? AND status IN ('Submitted', 'InProgress', 'Stopping')
"""
KINDS = ("TrainingJob", "ProcessingJob", "TransformJob")
ENDS = ("Completed", "Failed", "Stopped")


class NotOurs(Exception):
    """An event of something else than a job."""


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def milliseconds(moment: str | int | float) -> int:
    """A time as SageMaker writes it: milliseconds as a text or as a number, or RFC 3339."""
    if isinstance(moment, str) and not moment.isdecimal():
        return round(datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp() * 1000)
    return int(moment)


def row(event: dict[str, Any]) -> dict[str, Any]:
    """What the tables hold of an event: the body of a message, whoever sent it."""
    detail = event["detail"]
    kind = next((kind for kind in KINDS if f"{kind}Name" in detail), None)
    if kind is None:
        raise NotOurs(event.get("detail-type"))
    own = detail.get("LyftLearn") or {}
    status = detail.get(f"{kind}Status")
    lease = own.get("LeaseExpires")
    modified = milliseconds(detail.get("LastModifiedTime") or event["time"])
    return {
        "kind": kind,
        "name": detail[f"{kind}Name"],
        "rank": own.get("Rank") or 0,
        "attempt": own.get("Attempt", ""),
        # SageMaker has no number. Nothing of a job comes after its end, even in its millisecond.
        "sequence": own.get("Sequence", modified + (status in ENDS)),
        "status": status,
        "secondary_status": detail.get("SecondaryStatus"),
        "reason": detail.get("FailureReason") or detail.get("ExitMessage"),
        "lease": None if lease is None else milliseconds(lease),
        "detail": json.dumps(detail),
        "progress": own.get("Progress"),
    }


class Jobs:
    """The table of jobs."""

    def __init__(self, path: str) -> None:
        """Opens the database, and makes its tables if they are not there."""
        # Its transactions begin with the lock of a writer, and wait for it.
        self.database = sqlite3.connect(path, isolation_level="IMMEDIATE")
        self.database.row_factory = sqlite3.Row
        self.database.executescript("PRAGMA journal_mode = WAL;" + SCHEMA)

    def submitted(self, kind: str, name: str, lease_seconds: int) -> None:
        """Call it before you start the job: a pod that never starts sends no event."""
        born: dict[str, Any] = {
            "kind": kind, "name": name, "rank": 0, "attempt": "", "sequence": 0,
            "status": "Submitted", "secondary_status": None, "reason": None,
            "lease": now() + lease_seconds * 1000, "detail": "{}",
        }  # fmt: skip
        with self.database:
            self.database.execute(UPSERT, born)

    def take(self, *events: dict[str, Any]) -> None:
        """Brings the tables up to date. Taken again, an event changes nothing."""
        with self.database:
            for event in events:
                seen = row(event)
                # Of SageMaker's jobs the runtime sends progress, and no status.
                if seen["status"] is not None:
                    self.database.execute(UPSERT, seen)
                if seen["progress"]:
                    fraction, message = seen["progress"]["Fraction"], seen["progress"]["Message"]
                    said = {**seen, "fraction": fraction, "message": message}
                    self.database.execute(UPSERT_PROGRESS, said)

    def lose(self, moment: int | None = None) -> None:
        """Jobs whose lease has ended are lost. Call it before the table is looked at."""
        with self.database:
            self.database.execute(LOSE, (now() if moment is None else moment,))

    def all(self) -> list[dict[str, Any]]:
        """Every row, without the events' whole detail."""
        rows = self.database.execute("SELECT * FROM jobs ORDER BY kind, name, rank")
        return [{key: value for key, value in dict(row).items() if key != "detail"} for row in rows]


def poll(sqs: Any, queue: str, jobs: Jobs, wait_seconds: int) -> int:
    """Takes one batch of messages off the queue. Returns how many there were."""
    answer = sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
    )
    messages = answer.get("Messages", [])
    for message in messages:
        try:
            jobs.take(json.loads(message["Body"]))
        except NotOurs as what:
            logging.info("ignored: %s", what)
        except (ValueError, KeyError, TypeError, AttributeError, sqlite3.IntegrityError):
            # The message stays in the queue until the redrive policy moves it to a dead-letter
            # queue.
            logging.exception("message %s is not a job state event", message["MessageId"])
            continue
        # Only now: an event that is taken twice does no harm, one that is lost might.
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    jobs.lose()
    return len(messages)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", help="a file of SQLite")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("consume", help="keep the table").add_argument("queue", help="its URL")
    submit = commands.add_parser("submit", help="say that a job is about to be started")
    submit.add_argument("name")
    submit.add_argument("--kind", choices=KINDS, default="TrainingJob")
    submit.add_argument("--lease-seconds", type=int, default=900)
    commands.add_parser("show", help="print the table")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    jobs = Jobs(arguments.database)
    if arguments.command == "submit":
        jobs.submitted(arguments.kind, arguments.name, arguments.lease_seconds)
    elif arguments.command == "show":
        jobs.lose()
        print(json.dumps(jobs.all(), indent=2))
    else:
        sqs = boto3.client("sqs")
        while True:
            poll(sqs, arguments.queue, jobs, wait_seconds=20)


if __name__ == "__main__":
    main()
