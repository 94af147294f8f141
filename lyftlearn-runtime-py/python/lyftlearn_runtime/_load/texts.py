"""What a text says: a number, true or false, null, or a JSON document."""

from __future__ import annotations

import json
import re
import typing

from lyftlearn_runtime._load.annotations import NONE
from lyftlearn_runtime._load.mistakes import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

NULLS = ("null", "None")
_INT = re.compile(r"[+-]?[0-9]+", re.ASCII)
# What Rust's f64 takes, and Hyperparameters.float() with it; Python's takes "1_000" as well.
_FLOAT = re.compile(
    r"[+-]?(inf|infinity|nan|([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?)", re.ASCII | re.IGNORECASE
)

_BOOLS = {"true": True, "True": True, "false": False, "False": False}
_INT_LIMIT = 2**63


def _int(text: str) -> object:
    # Python refuses to count more digits than these.
    if _INT.fullmatch(text) and len(text) <= 4300 and -_INT_LIMIT <= int(text) < _INT_LIMIT:
        return int(text)
    return Wrong


def _float(text: str) -> object:
    return float(text) if _FLOAT.fullmatch(text) else Wrong


def _bool(text: str) -> object:
    return _BOOLS.get(text, Wrong)


def _null(text: str) -> object:
    return None if text in NULLS else Wrong


def _text(text: str) -> object:
    return text


# The value, or Wrong.
READERS: dict[object, Callable[[str], object]] = {
    str: _text,
    typing.Any: _text,
    object: _text,
    int: _int,
    float: _float,
    bool: _bool,
    NONE: _null,
}


def read_document(text: str) -> Any:
    """JSON, without Python's NaN; ValueError when it is something else."""

    def refuse(constant: str) -> object:
        raise ValueError

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError from None
