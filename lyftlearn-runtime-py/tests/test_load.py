"""Hyperparameters into a dataclass or a pydantic model, with every mistake at once."""

import dataclasses
import enum
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NewType, Optional, Union

import lyftlearn_runtime as rt
import pydantic
import pytest
from conftest import Write
from lyftlearn_runtime._load import pydantic_models


class Optimizer(enum.Enum):
    ADAM = "adam"
    SGD = "sgd"


class Precision(enum.IntEnum):
    HALF = 16
    FULL = 32


@dataclasses.dataclass
class Layer:
    units: int
    dropout: float = 0.0


@dataclasses.dataclass
class Args:
    epochs: int
    lr: float = 0.1
    amp: bool = False
    zip: str = ""
    layers: list[int] = dataclasses.field(default_factory=lambda: [8])
    warmup: Optional[int] = 5
    optimizer: Optimizer = Optimizer.SGD
    loss: Literal["l1", "l2"] = "l2"
    head: Optional[Layer] = None


@pytest.fixture
def given(write: Write) -> Any:
    """Hyperparameters of these texts."""

    def given(texts: Mapping[str, str]) -> rt.Hyperparameters:
        root = write({"opt/ml/input/config/hyperparameters.json": dict(texts)})
        environ = {"LYFTLEARN_RUNTIME_PLATFORM": "sagemaker"}
        return rt.resolve(root=root, environ=environ).hyperparameters

    return given


@pytest.fixture
def refused(given: Any) -> Any:
    """The report on these texts, which shows none of them, in whatever way it is printed."""

    def refused(model: type[object], texts: Mapping[str, str], **options: bool) -> list[str]:
        with pytest.raises(rt.HyperparameterError) as raised:
            given(texts).load(model, **options)
        shown = "".join(traceback.format_exception(None, raised.value, raised.tb))
        assert "canary" not in shown
        # Nor does anything hang on it that a logger might print.
        assert raised.value.__context__ is None and raised.value.__cause__ is None
        first, *lines = str(raised.value).split("\n")
        assert first == f"cannot load these hyperparameters into {model.__name__}"
        return [line.strip() for line in lines]

    return refused


TEXTS = {
    "epochs": "10",
    "lr": "1e-3",
    "amp": "True",
    "zip": "02139",
    "layers": "[32, 64]",
    "warmup": "null",
    "optimizer": "adam",
    "loss": "l1",
    "head": '{"units": 3}',
}


def test_a_dataclass_gets_its_types(given: Any) -> None:
    loaded = given({**TEXTS, "somebody-elses": "x"}).load(Args)
    assert loaded == Args(
        epochs=10,
        lr=0.001,
        amp=True,
        zip="02139",
        layers=[32, 64],
        warmup=None,
        optimizer=Optimizer.ADAM,
        loss="l1",
        head=Layer(3),
    )


def test_what_is_missing_has_its_default(given: Any) -> None:
    assert given({"epochs": "1"}).load(Args) == Args(1)


def test_the_loaded_thing_is_the_model_to_a_type_checker(
    hyperparameters: rt.Hyperparameters,
) -> None:
    loaded: Args = hyperparameters.load(Args)
    assert loaded.epochs == 10


def test_every_mistake_shows_at_once(refused: Any) -> None:
    texts = {
        "lr": "canary",
        "amp": "canary",
        "layers": '[1, "canary"]',
        "warmup": "canary",
        "optimizer": "canary",
        "loss": "canary",
        "head": '{"units": "canary", "dropout": "canary", "canary": 1}',
    }
    assert refused(Args, texts) == [
        "epochs: missing, expected a whole number",
        "lr: expected a number",
        "amp: expected true or false",
        "layers[1]: expected a whole number",
        "warmup: expected a whole number or null",
        "optimizer: expected one of adam, sgd",
        "loss: expected one of l1, l2",
        "head.units: expected a whole number",
        "head.dropout: expected a number",
    ]


def test_strict_refuses_what_has_no_field(refused: Any, given: Any) -> None:
    texts = {"epochs": "1", "epoch": "canary", "head": '{"units": 1, "canary": 1}'}
    given(texts).load(Args)
    assert refused(Args, texts, strict=True) == [
        "head: expected no other names than units, dropout",
        "epoch: not in Args; did you mean epochs?",
    ]


Seconds = NewType("Seconds", float)


@dataclasses.dataclass
class Point:
    x: int
    y: int


CASES: list[tuple[object, str, object]] = [
    (int, "-3", -3),
    (float, "inf", float("inf")),
    (float, ".5", 0.5),
    (str, "null", "null"),
    (Optional[str], "null", "null"),
    (Optional[str], "None", "None"),
    (Optional[float], "None", None),
    (Optional[float], "2", 2.0),
    (Union[int, str], "7", 7),
    (Union[str, int], "7", 7),
    (Union[int, str], "seven", "seven"),
    (Union[int, list[int]], "[7]", [7]),
    (Any, "[1]", "[1]"),
    (Path, "/opt/ml", Path("/opt/ml")),
    (Optional[Path], "null", None),
    (Optional[Path], "/opt/ml", Path("/opt/ml")),
    (Annotated[int, "an annotation"], "7", 7),
    (Seconds, "1.5", 1.5),
    (Precision, "16", Precision.HALF),
    (Precision, "FULL", Precision.FULL),
    (Literal[1, "1x", True, None], "1", 1),
    (Literal[1, "1x", True, None], "1x", "1x"),
    (Literal[1, "1x", True, None], "true", True),
    (Literal[1, "1x", True, None], "null", None),
    (list[float], "[1, 2.5]", [1.0, 2.5]),
    (list[Optional[int]], "[1, null]", [1, None]),
    (list[Any], '[1, "a"]', [1, "a"]),
    (list, "[1]", [1]),
    (tuple[int, str], '[1, "a"]', (1, "a")),
    (tuple[int, ...], "[1, 2, 3]", (1, 2, 3)),
    (tuple, "[1, 2]", (1, 2)),
    (tuple[()], "[]", ()),
    (set[str], '["a", "a"]', {"a"}),
    (dict, '{"a": 1}', {"a": 1}),
    (dict[str, list[int]], '{"a": [1]}', {"a": [1]}),
    (dict[int, Optimizer], '{"1": "adam"}', {1: Optimizer.ADAM}),
    (Mapping[str, float], '{"a": 1}', {"a": 1.0}),
    (list[Point], '[{"x": 1, "y": 2}]', [Point(1, 2)]),
    (Union[Point, list[int]], '{"x": 1, "y": 2}', Point(1, 2)),
]


@pytest.mark.parametrize(("annotation", "text", "value"), CASES)
def test_a_text_becomes_what_is_declared(
    given: Any, annotation: object, text: str, value: object
) -> None:
    model = dataclasses.make_dataclass("Model", [("field", annotation)])
    loaded = given({"field": text}).load(model).field
    assert loaded == value
    assert type(loaded) is type(value)


WRONG: list[tuple[object, str, str]] = [
    (int, "1.0", "field: expected a whole number"),
    (int, " 1", "field: expected a whole number"),
    (int, "1_0", "field: expected a whole number"),
    (int, "9" * 5000, "field: expected a whole number"),
    (int, str(2**63), "field: expected a whole number"),
    (float, "1_0", "field: expected a number"),
    (bool, "1", "field: expected true or false"),
    (int, "null", "field: expected a whole number"),
    (Union[int, bool], "canary", "field: expected a whole number or true or false"),
    (Precision, "17", "field: expected one of 16, 32"),
    (Literal[True], "1", "field: expected one of True"),
    (list[int], "canary", "field: expected a JSON list"),
    (list[int], '{"canary": 1}', "field: expected a JSON list"),
    (list[float], "[NaN]", "field: expected a JSON list"),
    (list[int], "[" * 100000, "field: expected a JSON list"),
    (list[int], "[true]", "field[0]: expected a whole number"),
    (list[int], "[1.5]", "field[0]: expected a whole number"),
    (list[float], f"[{'9' * 400}]", "field[0]: expected a number"),
    (list[list[int]], '[[1], [1, "canary"]]', "field[1][1]: expected a whole number"),
    (set[Any], "[[1]]", "field: expected a JSON list"),
    (tuple[int, int], "[1]", "field: expected a JSON list of 2"),
    (dict[str, int], '{"canary": "x"}', "field[...]: expected a whole number"),
    (dict[str, Point], '{"canary": {"x": 1}}', "field[...].y: missing, expected a whole number"),
    (Optional[Point], '{"x": "canary", "y": 1}', "field.x: expected a whole number"),
    (list[Optimizer], '["canary"]', "field[0]: expected one of adam, sgd"),
]


@pytest.mark.parametrize(("annotation", "text", "line"), WRONG)
def test_what_is_not_as_declared_is_said(
    refused: Any, annotation: object, text: str, line: str
) -> None:
    model = dataclasses.make_dataclass("Model", [("field", annotation)])
    assert refused(model, {"field": text}) == [line]


NUMBERS = [
    "1",
    "+1",
    "-0",
    "1.",
    ".5",
    ".",
    "1e5",
    "1E-5",
    "e5",
    "inf",
    "-Infinity",
    "NaN",
    "nan",
    "1_0",
]
NUMBERS += [
    "0x1",
    "+",
    "٣",
    "1e",
    "1e+",
    "-",
    "infin",
    "true",
    "1e999",
    "02",
    " 1",
    "1 ",
    "",
    "1\n",
]


@pytest.mark.parametrize("text", [*NUMBERS, "True", "False", "false", "TRUE", "yes", "None"])
@pytest.mark.parametrize("kind", [int, float, bool])
def test_a_field_reads_as_the_method_of_its_type(
    given: Any, kind: "type[object]", text: str
) -> None:
    model = dataclasses.make_dataclass("Model", [("field", kind)])
    hyperparameters = given({"field": text})
    try:
        expected = getattr(hyperparameters, kind.__name__)("field")
    except rt.HyperparameterError:
        with pytest.raises(rt.HyperparameterError):
            hyperparameters.load(model)
    else:
        assert repr(hyperparameters.load(model).field) == repr(expected)


def test_fields_of_every_kind(given: Any) -> None:
    @dataclasses.dataclass
    class Base:
        shared: ClassVar[int] = 7
        base: int = 1

    @dataclasses.dataclass(frozen=True)
    class Model:
        scale: dataclasses.InitVar[int]
        base: int = 1
        shared: ClassVar[int] = 7
        made: int = dataclasses.field(init=False, default=0)

        def __post_init__(self, scale: int) -> None:
            object.__setattr__(self, "made", scale * self.base)

    assert given({"base": "2", "shared": "3"}).load(Base) == Base(2)
    loaded = given({"scale": "3", "base": "2", "made": "9"}).load(Model)
    assert (loaded.made, loaded.shared) == (6, 7)


def test_what_the_models_own_code_raises_goes_through(given: Any) -> None:
    @dataclasses.dataclass
    class Model:
        field: int

        def __post_init__(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        given({"field": "1"}).load(Model)


@pytest.mark.parametrize("texts", [{}, {"field": "1"}])
@pytest.mark.parametrize("annotation", [complex, list[complex], Optional[complex]])
def test_a_type_that_no_text_gives_is_the_callers_mistake(
    given: Any, annotation: object, texts: Mapping[str, str]
) -> None:
    model = dataclasses.make_dataclass("Model", [("field", annotation)])
    with pytest.raises(TypeError, match=r"load has no way to make .*complex"):
        given(texts).load(model)


def test_an_annotation_that_means_nothing_is_the_callers_mistake(given: Any) -> None:
    model = dataclasses.make_dataclass("Model", [("field", "Nowhere")])
    with pytest.raises(TypeError, match="load cannot understand the annotations of Model"):
        given({}).load(model)


@pytest.mark.parametrize("wrong", [dict, Args(1), None, "Args"])
def test_what_is_no_model_is_refused(given: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match="load takes a dataclass or a pydantic model, not"):
        given({}).load(wrong)


# pydantic.


class Head(pydantic.BaseModel):
    units: int
    names: dict[str, int] = {}


class Model(pydantic.BaseModel):
    epochs: int
    lr: float = pydantic.Field(default=0.1, gt=0)
    amp: bool = False
    zip: str = ""
    layers: list[int] = [8]
    warmup: Optional[int] = 5
    optimizer: Optimizer = Optimizer.SGD
    loss: Literal["l1", "l2"] = "l2"
    head: Optional[Head] = None
    heads: list[Head] = []
    name: str = pydantic.Field(default="", pattern="^[a-z]*$")

    @pydantic.field_validator("zip")
    @classmethod
    def check(cls, value: str) -> str:
        if value == "canary":
            raise ValueError(f"{value} is not a zip")
        return value


def test_a_pydantic_model_gets_its_types(given: Any) -> None:
    loaded = given({**TEXTS, "heads": '[{"units": 1}]', "other": "x"}).load(Model)
    assert loaded == Model(
        epochs=10,
        lr=0.001,
        amp=True,
        zip="02139",
        layers=[32, 64],
        warmup=None,
        optimizer=Optimizer.ADAM,
        loss="l1",
        head=Head(units=3),
        heads=[Head(units=1)],
    )
    assert given({"epochs": "1"}).load(Model) == Model(epochs=1)


def test_every_mistake_of_a_pydantic_model_shows_at_once(refused: Any) -> None:
    texts = {
        "lr": "-1",
        "amp": "canary",
        "zip": "canary",
        "layers": '[1, "canary"]',
        "warmup": "canary",
        "optimizer": "canary",
        "loss": "canary",
        "head": '{"units": "canary", "names": {"canary": "canary"}}',
        "heads": "canary",
        "name": "canary canary",
    }
    assert refused(Model, texts) == [
        "heads: expected JSON",
        "epochs: missing",
        "lr: expected more than 0.0",
        "amp: expected true or false",
        "zip: expected what its validator accepts",
        "layers[1]: expected a whole number",
        "warmup: expected a whole number",
        "optimizer: expected one of 'adam' or 'sgd'",
        "loss: expected one of 'l1' or 'l2'",
        "head.units: expected a whole number",
        "head.names: expected a whole number",
        "name: expected a text like ^[a-z]*$",
    ]


def test_strict_holds_for_a_pydantic_model_too(refused: Any, given: Any) -> None:
    texts = {"epochs": "1", "epoch": "canary"}
    given(texts).load(Model)
    assert refused(Model, texts, strict=True) == ["epoch: not in Model; did you mean epochs?"]


def test_a_model_that_forbids_more_is_obeyed(refused: Any) -> None:
    class Closed(pydantic.BaseModel, extra="forbid"):
        epochs: int

    assert refused(Closed, {"epochs": "1", "epoch": "canary"}) == ["epoch: not in the model"]


def test_a_text_is_how_a_strict_model_gets_its_numbers(given: Any) -> None:
    class Strict(pydantic.BaseModel, strict=True):
        epochs: int
        lr: float = pydantic.Field(strict=True)

    assert given({"epochs": "1", "lr": "0.5"}).load(Strict) == Strict(epochs=1, lr=0.5)


def test_aliases_are_pydantics(given: Any) -> None:
    class Aliased(pydantic.BaseModel):
        layers: list[int] = pydantic.Field(alias="n-layers")
        other: list[int] = pydantic.Field(
            validation_alias=pydantic.AliasChoices("first", pydantic.AliasPath("second", 0))
        )

    loaded = given({"n-layers": "[1]", "second": "[[2]]"}).load(Aliased, strict=True)
    assert (loaded.layers, loaded.other) == ([1], [2])
    loaded = given({"n-layers": "[1]", "first": "[2]"}).load(Aliased, strict=True)
    assert (loaded.layers, loaded.other) == ([1], [2])


def test_shapes_of_every_kind(given: Any) -> None:
    @pydantic.dataclasses.dataclass
    class Inner:
        x: int

    class Shapes(pydantic.BaseModel):
        raw: pydantic.Json[list[int]]
        pair: tuple[int, str]
        inner: Inner
        either: Union[str, list[int]]
        text: Union[str, list[int]]
        number: Union[str, list[int]]
        maybe: Optional[list[int]] = [1]

    texts = {
        "raw": "[1]",
        "pair": '[1, "a"]',
        "inner": '{"x": 1}',
        "either": "[1]",
        "text": "one",
        "number": "1",
        "maybe": "null",
    }
    loaded = given(texts).load(Shapes)
    assert loaded.model_dump() == {
        "raw": [1],
        "pair": (1, "a"),
        "inner": {"x": 1},
        "either": [1],
        "text": "one",
        "number": "1",
        "maybe": None,
    }


def test_a_pydantic_dataclass_says_no_value_either(refused: Any, given: Any) -> None:
    @pydantic.dataclasses.dataclass
    class Checked:
        lr: float = pydantic.Field(gt=0)
        name: Annotated[str, pydantic.StringConstraints(max_length=3)] = ""

    assert given({"lr": "1"}).load(Checked) == Checked(lr=1)
    assert refused(Checked, {"lr": "-1", "name": "canary"}) == [
        "lr: expected more than 0.0",
        "name: expected a text of at most 3 characters",
    ]


def test_a_validator_of_the_whole_model_is_named_so(refused: Any) -> None:
    class Whole(pydantic.BaseModel):
        a: str

        @pydantic.model_validator(mode="after")
        def check(self) -> "Whole":
            raise ValueError(self.a)

    assert refused(Whole, {"a": "canary"}) == ["all together: expected what its validator accepts"]


def test_no_sentence_needs_what_pydantic_does_not_tell() -> None:
    for kind in pydantic_models._SAID:
        assert "{" not in pydantic_models._said({"type": kind, "ctx": dict.fromkeys(CONTEXT, 1)})
        assert pydantic_models._said({"type": kind}) != ""


CONTEXT = ["gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern", "expected"]
