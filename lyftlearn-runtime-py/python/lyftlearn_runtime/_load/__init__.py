"""Hyperparameters into a dataclass or a pydantic model: ``rt.hyperparameters.load(Model)``.

Imported when it is first used. No message of this package shows a value: neither a
hyperparameter's text, nor a key of a JSON document in it, nor pydantic's own sentences,
which quote both.
"""

from __future__ import annotations

import dataclasses
import typing

from lyftlearn_runtime._load.pydantic_models import load_model
from lyftlearn_runtime._load.values import load_dataclass
from lyftlearn_runtime._native import HyperparameterError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    _T = TypeVar("_T")


def load(texts: Mapping[str, str], model: type[_T], strict: bool) -> _T:
    """What `Hyperparameters.load` is, and says."""
    if isinstance(model, type) and dataclasses.is_dataclass(model):
        loaded, mistakes = load_dataclass(texts, model, strict)
    elif isinstance(model, type) and callable(getattr(model, "model_validate", None)):
        loaded, mistakes = load_model(texts, model, strict)
    else:
        named = model.__name__ if isinstance(model, type) else type(model).__name__
        raise TypeError(f"load takes a dataclass or a pydantic model, not {named}")
    if mistakes:
        # Of one place several things may be expected (a union's branches); once each.
        lines: dict[str, list[str]] = {}
        for place, expected in mistakes:
            if expected not in lines.setdefault(place, []):
                lines[place].append(expected)
        report = "".join(f"\n  {place}: {'; or '.join(said)}" for place, said in lines.items())
        raise HyperparameterError(
            f"cannot load these hyperparameters into {model.__name__}{report}"
        )
    return typing.cast("_T", loaded)
