"""Fail as a trainer does: deep in a call, with a secret in the message."""

import os


def load(rows: int) -> None:
    raise ValueError(f"{rows} rows from {os.environ['FEATURE_STORE_TOKEN']}, expected 4096")


if __name__ == "__main__":
    load(4095)
