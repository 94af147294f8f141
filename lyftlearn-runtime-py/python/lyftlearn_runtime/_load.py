"""Hyperparameters into a dataclass or a pydantic model: ``rt.hyperparameters.load(Model)``.

Imported when it is first used. Knows pydantic by what its models can do, and never by its
name. No message of this module shows a value: neither a hyperparameter's text, nor a key of
a JSON document in it, nor pydantic's own sentences, which quote both.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import difflib
import enum
import inspect
import json
import pathlib
import re
import types
import typing

from lyftlearn_runtime._native import HyperparameterError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Callable, TypeVar

    _T = TypeVar("_T")
    # Where in a hyperparameter, and what was expected there.
    _Mistake = tuple[str, str]

_NONE: object = type(None)
_UNIONS = {typing.Union, getattr(types, "UnionType", typing.Union)}
_NULLS = ("null", "None")
_INT = re.compile(r"[+-]?[0-9]+", re.ASCII)
# What Rust's f64 takes, and Hyperparameters.float() with it; Python's takes "1_000" as well.
_FLOAT = re.compile(
    r"[+-]?(inf|infinity|nan|([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?)", re.ASCII | re.IGNORECASE
)
_BOOLS = {"true": True, "True": True, "false": False, "False": False}
_INT_LIMIT = 2**63
_LISTS: dict[object, Callable[[Iterable[object]], object]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}
_OBJECTS = {dict, collections.abc.Mapping, collections.abc.MutableMapping}


class _Wrong(Exception):
    """What was found is not what was declared."""

    def __init__(self, mistakes: list[_Mistake], inside: bool = False) -> None:
        self.mistakes = mistakes
        # The shape was right, and something in it was not.
        self.inside = inside

    @classmethod
    def one(cls, expected: str, place: str = "") -> _Wrong:
        return cls([(place, expected)])

    def below(self, place: str) -> list[_Mistake]:
        return [(f"{place}{inner}", expected) for inner, expected in self.mistakes]


def load(texts: Mapping[str, str], model: type[_T], strict: bool) -> _T:
    """What `Hyperparameters.load` is, and says."""
    if isinstance(model, type) and dataclasses.is_dataclass(model):
        loaded, mistakes = _dataclass(texts, model, strict)
    elif isinstance(model, type) and callable(getattr(model, "model_validate", None)):
        loaded, mistakes = _pydantic(texts, model, strict)
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


def _unknown(names: Iterable[str], known: Iterable[str], model: type[object]) -> list[_Mistake]:
    """A mistake for each name that the model does not have."""
    known = list(known)
    mistakes = []
    for name in names:
        near = difflib.get_close_matches(name, known, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        mistakes.append((name, f"not in {model.__name__}{meant}"))
    return mistakes


# Dataclasses.


@dataclasses.dataclass(frozen=True)
class _Field:
    annotation: object
    required: bool


def _fields(model: type[object]) -> dict[str, _Field]:
    """What the dataclass is made of: InitVar too, init=False and ClassVar not."""
    try:
        hints = typing.get_type_hints(model, include_extras=True)
    except Exception as error:
        # A NameError, or on Python 3.9 `int | None` as a text.
        raise TypeError(f"load cannot understand the annotations of {model.__name__}") from error
    fields = {}
    for parameter in inspect.signature(model).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint = hints.get(parameter.name, typing.Any)
        if isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        fields[parameter.name] = _Field(hint, parameter.default is parameter.empty)
    return fields


def _dataclass(
    texts: Mapping[str, str], model: type[object], strict: bool
) -> tuple[object, list[_Mistake]]:
    def value(name: str, annotation: object) -> object:
        return _from_text(texts[name], annotation, strict)

    fields = _fields(model)
    values, mistakes = _values(fields, texts, value, "")
    if strict:
        mistakes += _unknown((name for name in texts if name not in fields), fields, model)
    # Unsupported annotations show at the first load, not at the first document with such.
    for name, field in fields.items():
        if name not in texts:
            _words(field.annotation, f"{model.__name__}.{name}")
    return (None, mistakes) if mistakes else _made(model, values)


def _values(
    fields: dict[str, _Field],
    present: Mapping[str, object],
    value: Callable[[str, object], object],
    prefix: str,
) -> tuple[dict[str, object], list[_Mistake]]:
    values, mistakes = {}, []
    for name, field in fields.items():
        if name in present:
            try:
                values[name] = value(name, field.annotation)
            except _Wrong as wrong:
                mistakes += wrong.below(f"{prefix}{name}")
        elif field.required:
            expected = f"missing, expected {_words(field.annotation, name)}"
            mistakes.append((f"{prefix}{name}", expected))
    return values, mistakes


def _made(model: type[object], values: dict[str, object]) -> tuple[object, list[_Mistake]]:
    """The instance. What __post_init__ raises is the caller's own and goes through, but for
    pydantic's dataclasses."""
    try:
        return model(**values), []
    except Exception as error:
        mistakes = _of_pydantic(error, model)
        if mistakes is None:
            raise
        return None, mistakes


def _bare(annotation: object) -> object:
    """Without what says nothing of the type: Annotated, Final, NewType, `type X = ...`."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is getattr(typing, "Annotated", None) or origin is typing.Final:
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__  # type: ignore[attr-defined] # Python 3.12
        else:
            return annotation


def _alternatives(annotation: object) -> list[object]:
    """A union's, what is more particular first; else the annotation alone."""
    annotation = _bare(annotation)
    if typing.get_origin(annotation) not in _UNIONS:
        return [annotation]
    found: list[object] = []
    for argument in typing.get_args(annotation):
        found += _alternatives(argument)
    texts = (str, typing.Any, object)
    # A path is any text but null; beside str even null is a text.
    null = 4 if any(alternative in texts for alternative in found) else 1

    def rank(alternative: object) -> int:
        if alternative is _NONE:
            return null
        return 3 if alternative in texts else 2 * _is_class(alternative, pathlib.PurePath)

    return sorted(found, key=rank)


def _is_class(annotation: object, of: type[object]) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, of)


def _words(annotation: object, where: str = "") -> str:
    """What is expected, for people. TypeError for an annotation that nothing is known of."""
    alternatives = _alternatives(annotation)
    if len(alternatives) > 1:
        return " or ".join(_words(alternative, where) for alternative in alternatives)
    bare = alternatives[0]
    origin = typing.get_origin(bare) or bare
    simple: dict[object, str] = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        _NONE: "null",
        typing.Any: "a text",
        object: "a text",
        tuple: "a JSON list",
    }
    if _is_class(bare, enum.Enum):
        words = _one_of([member.value for member in typing.cast("type[enum.Enum]", bare)])
    elif origin is typing.Literal:
        words = _one_of(typing.get_args(bare))
    elif origin in _LISTS:
        words = "a JSON list"
    elif origin in _OBJECTS or dataclasses.is_dataclass(bare):
        words = "a JSON object"
    elif _is_class(bare, pathlib.PurePath):
        words = "a path"
    elif origin in simple:
        words = simple[origin]
    else:
        place = f"{where}: " if where else ""
        raise TypeError(f"load has no way to make {place}{bare!r} of a text")
    if origin is tuple and len(_items(bare)) and _items(bare)[-1] is not Ellipsis:
        words = f"a JSON list of {len(_items(bare))}"
    for argument in _items(bare) if origin is not typing.Literal else ():
        if argument is not Ellipsis and argument != () and type(argument) is not typing.TypeVar:
            _words(argument, where)
    return words


def _items(annotation: object) -> tuple[object, ...]:
    return typing.get_args(annotation)


def _one_of(values: Iterable[object]) -> str:
    """From the declaration, and so no secret."""
    return f"one of {', '.join(str(getattr(value, 'value', value)) for value in values)}"


def _tells(wrong: _Wrong, alternatives: list[object]) -> bool:
    """Whether what is wrong with one of these tells more than that none of them fits: a
    place in the only shape, null aside."""
    return len([one for one in alternatives if one is not _NONE]) == 1 and wrong.inside


def _from_text(text: str, annotation: object, strict: bool) -> object:
    """A hyperparameter's value as its declared type."""
    alternatives = _alternatives(annotation)
    for alternative in alternatives:
        try:
            return _from_text_one(text, alternative, strict)
        except _Wrong as wrong:
            if _tells(wrong, alternatives):
                raise
    raise _Wrong.one(f"expected {_words(annotation)}")


def _from_text_one(text: str, annotation: object, strict: bool) -> object:
    found: object = _Wrong
    if annotation in _READERS:
        found = _READERS[annotation](text)
    elif _is_class(annotation, pathlib.PurePath):
        found = typing.cast("type[pathlib.PurePath]", annotation)(text)
    elif _is_choice(annotation):
        for written, wanted in _choices(annotation):
            if text == written if isinstance(written, str) else _is_text_of(text, written):
                return wanted
    else:
        words = _words(annotation)
        try:
            document = _document(text)
        except ValueError:
            raise _Wrong.one(f"expected {words}") from None
        return _from_json(document, annotation, strict)
    if found is _Wrong:
        raise _Wrong.one(f"expected {_words(annotation)}")
    return found


def _int(text: str) -> object:
    # Python refuses to count more digits than these.
    if _INT.fullmatch(text) and len(text) <= 4300 and -_INT_LIMIT <= int(text) < _INT_LIMIT:
        return int(text)
    return _Wrong


def _float(text: str) -> object:
    return float(text) if _FLOAT.fullmatch(text) else _Wrong


def _bool(text: str) -> object:
    return _BOOLS.get(text, _Wrong)


def _null(text: str) -> object:
    return None if text in _NULLS else _Wrong


def _text(text: str) -> object:
    return text


# The value, or _Wrong.
_READERS: dict[object, Callable[[str], object]] = {
    str: _text,
    typing.Any: _text,
    object: _text,
    int: _int,
    float: _float,
    bool: _bool,
    _NONE: _null,
}


def _is_choice(annotation: object) -> bool:
    return _is_class(annotation, enum.Enum) or typing.get_origin(annotation) is typing.Literal


def _choices(annotation: object) -> list[tuple[object, object]]:
    """How each choice is written, and what it stands for; an enum's values before its names."""
    if typing.get_origin(annotation) is typing.Literal:
        # An enum's member as a literal is written as its value.
        return [
            (value.value if isinstance(value, enum.Enum) else value, value)
            for value in typing.get_args(annotation)
        ]
    members = typing.cast("type[enum.Enum]", annotation).__members__
    by_value = [(member.value, member) for member in members.values()]
    return [*by_value, *members.items()]


def _is_text_of(text: str, value: object) -> bool:
    """Whether `text` writes `value` down, by the rules for its type."""
    try:
        # bool is an int to Python, and not to people.
        return bool(_from_text_one(text, type(value), False) == value)
    except (_Wrong, TypeError):
        return False


def _document(text: str) -> Any:
    """JSON, without Python's NaN; ValueError when it is something else."""

    def refuse(constant: str) -> object:
        raise ValueError

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError from None


def _from_json(value: object, annotation: object, strict: bool) -> object:
    """A value of a JSON document as its declared type. 3 is a number; "3" and true are none."""
    alternatives = _alternatives(annotation)
    for alternative in alternatives:
        try:
            found = _from_json_one(value, alternative, strict)
        except _Wrong as wrong:
            if _tells(wrong, alternatives):
                raise
        else:
            if found is not _Wrong:
                return found
    raise _Wrong.one(f"expected {_words(annotation)}")


def _from_json_one(value: object, annotation: object, strict: bool) -> object:
    """The value, or _Wrong; that with a place in it is raised."""
    found: object = _Wrong
    if annotation in (typing.Any, object) or type(annotation) is typing.TypeVar:
        found = value
    elif annotation is float and type(value) is int:
        # One beyond all floats is infinite in none of them.
        found = float(value) if abs(value) < 2**1023 else found
    elif annotation in _READERS:
        found = value if type(value) is annotation else found
    elif _is_class(annotation, pathlib.PurePath) and isinstance(value, str):
        found = typing.cast("type[pathlib.PurePath]", annotation)(value)
    elif _is_choice(annotation):
        for written, wanted in _choices(annotation):
            if type(written) is type(value) and written == value:
                return wanted
    elif isinstance(value, list):
        found = _list(value, annotation, strict)
    elif isinstance(value, dict):
        if (typing.get_origin(annotation) or annotation) in _OBJECTS:
            found = _object(value, typing.get_args(annotation), strict)
        elif isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
            found = _nested(value, annotation, strict)
    return found


def _list(value: list[object], annotation: object, strict: bool) -> object:
    origin = typing.get_origin(annotation) or annotation
    arguments = typing.get_args(annotation)
    if origin is tuple:
        return _tuple(value, arguments, strict, _words(annotation))
    if origin not in _LISTS:
        return _Wrong
    item = arguments[0] if arguments else typing.Any
    made = _each(value, [item] * len(value), strict)
    try:
        return _LISTS[origin](made)
    except TypeError:
        return _Wrong  # A set of what has no hash.


def _tuple(
    value: list[object], arguments: tuple[object, ...], strict: bool, words: str
) -> tuple[object, ...]:
    if not arguments:
        return tuple(value)
    if arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    elif arguments == ((),):
        arguments = ()  # How Python 3.9 and 3.10 write tuple[()] as Tuple[()].
    if len(arguments) != len(value):
        raise _Wrong.one(f"expected {words}")
    return tuple(_each(value, list(arguments), strict))


def _each(values: list[object], annotations: list[object], strict: bool) -> list[object]:
    made = []
    for place, (value, annotation) in enumerate(zip(values, annotations)):
        try:
            made.append(_from_json(value, annotation, strict))
        except _Wrong as wrong:
            raise _Wrong(wrong.below(f"[{place}]"), inside=True) from None
    return made


def _object(
    value: dict[str, object], arguments: tuple[object, ...], strict: bool
) -> dict[object, object]:
    name, item = arguments or (typing.Any, typing.Any)
    made = {}
    for own, inner in value.items():
        try:
            # JSON has no other names than texts.
            made[_from_text(own, name, strict)] = _from_json(inner, item, strict)
        except _Wrong as wrong:
            # The name is part of the value.
            raise _Wrong(wrong.below("[...]"), inside=True) from None
    return made


def _nested(value: dict[str, object], model: type[object], strict: bool) -> object:
    def inner(name: str, annotation: object) -> object:
        return _from_json(value[name], annotation, strict)

    fields = _fields(model)
    values, mistakes = _values(fields, value, inner, ".")
    if strict and any(name not in fields for name in value):
        mistakes.append(("", f"expected no other names than {', '.join(fields)}"))
    if mistakes:
        raise _Wrong(mistakes, inside=True)
    made, mistakes = _made(model, values)
    if mistakes:
        below = [(f".{place}", expected) for place, expected in mistakes]
        raise _Wrong(below, inside=True)
    return made


# pydantic.

# What is expected, by pydantic's type of error. Its sentences quote what they found; of its
# context only what the model declares is shown.
_SAID = {
    "missing": "missing",
    "extra_forbidden": "not in the model",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected at most {le}",
    "multiple_of": "expected a multiple of {multiple_of}",
    "string_too_short": "expected a text of at least {min_length} characters",
    "string_too_long": "expected a text of at most {max_length} characters",
    "string_pattern_mismatch": "expected a text like {pattern}",
    "too_short": "expected at least {min_length} items",
    "too_long": "expected at most {max_length} items",
    "literal_error": "expected one of {expected}",
    "enum": "expected one of {expected}",
    "finite_number": "expected a finite number",
    "json_invalid": "expected JSON",
    "none_required": "expected null",
    "value_error": "expected what its validator accepts",
    "assertion_error": "expected what its validator accepts",
}
# The same, by how the type begins.
_SAID_BY_BEGINNING = {
    "int_": "expected a whole number",
    "float_": "expected a number",
    "decimal_": "expected a number",
    "bool_": "expected true or false",
    "string_": "expected a text",
    "list_": "expected a JSON list",
    "tuple_": "expected a JSON list",
    "set_": "expected a JSON list",
    "frozen_set_": "expected a JSON list",
    "dict_": "expected a JSON object",
    "mapping_": "expected a JSON object",
    "model_": "expected a JSON object",
    "dataclass_": "expected a JSON object",
    "datetime_": "expected a time with its date",
    "date_": "expected a date",
    "time_delta_": "expected a span of time",
    "time_": "expected a time",
    "url_": "expected a URL",
    "uuid_": "expected a UUID",
    "path_": "expected a path",
}


def _pydantic(texts: Mapping[str, str], model: Any, strict: bool) -> tuple[object, list[_Mistake]]:
    fields = _fields_by_name(model)
    values: dict[str, object] = {}
    mistakes = []
    for name, text in texts.items():
        values[name] = text
        field = fields.get(name)
        if field is None or _wants_text(field):
            continue
        alternatives = _alternatives(field.annotation)
        shapes = [alternative for alternative in alternatives if _has_structure(alternative)]
        if shapes:
            try:
                document = _document(text)
            except ValueError:
                if len(shapes) == len([one for one in alternatives if one is not _NONE]):
                    mistakes.append((name, "expected JSON"))
                    # Whatever it says of this one is beside the point.
                    values[name] = None
            else:
                # A text beside a shape is a text even when it reads as a number.
                if isinstance(document, (list, dict)) or str not in alternatives:
                    values[name] = document
        elif _NONE in alternatives and str not in alternatives and text in _NULLS:
            values[name] = None
    if strict:
        mistakes += _unknown((name for name in texts if name not in fields), fields, model)
    broken = {name for name, _ in mistakes}
    loaded: object = None
    try:
        # Lax whatever the model says: a text is the only way to write a number here.
        loaded = model.model_validate(values, strict=False)
    except Exception as error:
        found = _of_pydantic(error, model)
        if found is None:
            raise
        mistakes += [(place, said) for place, said in found if place not in broken]
    return loaded, mistakes


def _fields_by_name(model: Any) -> dict[str, Any]:
    """Fields by every name under which pydantic looks for them."""
    config = getattr(model, "model_config", {})
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    found = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        # AliasChoices; AliasPath has a path in the document, which begins with its name.
        for choice in [alias, *getattr(alias, "choices", ())]:
            path = getattr(choice, "path", None)
            if isinstance(choice, str):
                found[choice] = field
            elif path:
                found[path[0]] = _ANY_SHAPE
        if alias is None or by_name:
            found[name] = field
    return found


@dataclasses.dataclass(frozen=True)
class _Shape:
    """A field of which only a part goes into the model."""

    annotation: object
    metadata: tuple[object, ...] = ()


_ANY_SHAPE = _Shape(typing.Union[typing.List[object], typing.Dict[str, object]])  # noqa: UP006 - Python 3.9


def _wants_text(field: Any) -> bool:
    """pydantic's own Json[...] reads the text itself."""
    return any(
        "Json" in (getattr(data, "__name__", ""), type(data).__name__) for data in field.metadata
    )


def _has_structure(annotation: object) -> bool:
    """Whether JSON is how a text says it."""
    origin = typing.get_origin(annotation) or annotation
    shapes = (tuple, dict, collections.deque)
    return (
        origin in _LISTS
        or origin in _OBJECTS
        or any(_is_class(origin, shape) for shape in shapes)
        or dataclasses.is_dataclass(origin)
        # Models, and TypedDict.
        or hasattr(origin, "model_fields")
        or hasattr(origin, "__total__")
    )


def _of_pydantic(error: Exception, model: Any) -> list[_Mistake] | None:
    """The mistakes that pydantic found; None when the error is somebody else's."""
    errors = getattr(error, "errors", None)
    if not callable(errors) or type(error).__name__ != "ValidationError":
        return None
    found = errors(include_url=False, include_input=False)
    return [(_place(each["loc"], model), _said(each)) for each in found]


def _said(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx") or {}
    if kind in _SAID:
        try:
            return _SAID[kind].format_map(context)
        except (KeyError, ValueError):
            return "not understood"
    for beginning, said in _SAID_BY_BEGINNING.items():
        if kind.startswith(beginning):
            return said
    return "not what the model declares"


def _place(location: tuple[int | str, ...], model: Any) -> str:
    """The hyperparameter, and the place in it as far as the model declares it: names beyond
    may be the value's own."""
    if not location:
        return "all together"
    place = str(location[0])
    field = getattr(model, "model_fields", {}).get(place)
    for part in location[1:]:
        if isinstance(part, int):
            place += f"[{part}]"
            continue
        inner = next(
            (
                getattr(alternative, "model_fields", {}).get(part)
                for alternative in _shapes_in(getattr(field, "annotation", None))
                if part in getattr(alternative, "model_fields", {})
            ),
            None,
        )
        if inner is None:
            break
        place += f".{part}"
        field = inner
    return place


def _shapes_in(annotation: object) -> list[object]:
    """The models that an annotation names, in lists and unions too."""
    found: list[object] = []
    for alternative in _alternatives(annotation):
        if hasattr(alternative, "model_fields"):
            found.append(alternative)
        for argument in typing.get_args(alternative):
            found += _shapes_in(argument)
    return found
