"""A mapping of texts, with types on request."""

from collections import ChainMap
from collections.abc import Mapping
from types import MappingProxyType

import lyftlearn_runtime as rt
import pytest
from conftest import HYPERPARAMETERS


def test_it_is_a_mapping_of_texts(hyperparameters: rt.Hyperparameters) -> None:
    assert isinstance(hyperparameters, Mapping)
    assert len(hyperparameters) == len(HYPERPARAMETERS)
    assert list(hyperparameters) == sorted(HYPERPARAMETERS)
    assert hyperparameters["zip"] == "02139"
    assert "zip" in hyperparameters
    assert "nowhere" not in hyperparameters
    number: object = 7
    assert number not in hyperparameters
    assert dict(hyperparameters) == HYPERPARAMETERS
    assert dict(**hyperparameters) == HYPERPARAMETERS


def test_its_parts_are_views(hyperparameters: rt.Hyperparameters) -> None:
    assert list(hyperparameters.keys()) == sorted(HYPERPARAMETERS)
    assert hyperparameters.keys() & {"lr", "nowhere"} == {"lr"}
    assert list(hyperparameters.items()) == sorted(HYPERPARAMETERS.items())
    assert sorted(hyperparameters.values()) == sorted(HYPERPARAMETERS.values())


@pytest.mark.parametrize("kind", [dict, MappingProxyType, ChainMap])
def test_it_equals_any_mapping_of_the_same_texts(
    hyperparameters: rt.Hyperparameters, kind: "type[dict[str, object]]"
) -> None:
    assert hyperparameters == kind(HYPERPARAMETERS)
    assert kind(HYPERPARAMETERS) == hyperparameters
    assert hyperparameters != kind({**HYPERPARAMETERS, "zip": "2139"})
    assert hyperparameters != kind({**HYPERPARAMETERS, "zip": 2139})


def test_it_equals_nothing_else(hyperparameters: rt.Hyperparameters) -> None:
    others: list[object] = [sorted(HYPERPARAMETERS), None, 7]
    for other in others:
        assert hyperparameters != other


def test_it_has_no_hash(hyperparameters: rt.Hyperparameters) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(hyperparameters)


def test_get_gives_the_text_or_the_default(hyperparameters: rt.Hyperparameters) -> None:
    assert hyperparameters.get("zip") == "02139"
    assert hyperparameters.get("zip", 7) == "02139"
    assert hyperparameters.get("nowhere") is None
    assert hyperparameters.get("nowhere", 7) == 7
    assert hyperparameters.get("nowhere", default="x") == "x"


def test_types_are_what_the_caller_declares(hyperparameters: rt.Hyperparameters) -> None:
    assert hyperparameters.int("epochs") == 10
    assert hyperparameters.int("zip") == 2139
    assert hyperparameters.float("lr") == 0.001
    assert hyperparameters.float("epochs") == 10.0
    assert hyperparameters.bool("amp") is True
    assert hyperparameters.json("layers") == [32, 64]


@pytest.mark.parametrize(
    ("method", "default"),
    [("int", 7), ("float", 0.5), ("bool", False), ("json", {"a": [1]})],
)
def test_a_default_stands_in_for_what_is_missing_and_not_for_what_is_wrong(
    hyperparameters: rt.Hyperparameters, method: str, default: object
) -> None:
    read = getattr(hyperparameters, method)
    assert read("nowhere", default) == default
    assert read("nowhere", default=default) == default
    with pytest.raises(rt.HyperparameterError):
        read("note", default)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("int", "a whole number"),
        ("float", "a number"),
        ("bool", "true or false"),
        ("json", "JSON"),
    ],
)
def test_a_wrong_type_is_named_and_its_value_is_not(
    hyperparameters: rt.Hyperparameters, method: str, expected: str
) -> None:
    with pytest.raises(rt.HyperparameterError) as raised:
        getattr(hyperparameters, method)("note")
    assert str(raised.value) == f"cannot read the hyperparameter note: expected {expected}"
    assert "canary" not in repr(raised.value)


@pytest.mark.parametrize("method", ["__getitem__", "int", "float", "bool", "json"])
def test_a_missing_one_is_a_key_error_with_a_suggestion(
    hyperparameters: rt.Hyperparameters, method: str
) -> None:
    with pytest.raises(KeyError) as raised:
        getattr(hyperparameters, method)("epoch")
    assert raised.value.args == ("cannot find the hyperparameter epoch; did you mean epochs?",)


def test_no_repr_shows_a_value(hyperparameters: rt.Hyperparameters) -> None:
    assert repr(hyperparameters) == "Hyperparameters(amp, epochs, layers, lr, note, zip)"
    for shown in (hyperparameters.keys(), hyperparameters.values(), hyperparameters.items()):
        assert "canary" not in repr(shown)
        assert "02139" not in repr(shown)


def test_it_cannot_be_changed(hyperparameters: rt.Hyperparameters) -> None:
    with pytest.raises(TypeError):
        hyperparameters["lr"] = "1"  # type: ignore[index] # what the stub forbids, so must the class
    with pytest.raises(AttributeError):
        hyperparameters.lr = "1"  # type: ignore[attr-defined] # the same
