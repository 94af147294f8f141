"""A text, or a value of a JSON document, as its declared type; dataclasses among them."""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import typing

from lyftlearn_runtime._load.annotations import (
    LISTS,
    NONE,
    OBJECTS,
    alternatives_of,
    choices_of,
    is_choice,
    is_class,
    words_for,
)
from lyftlearn_runtime._load.mistakes import Wrong, unknown_names
from lyftlearn_runtime._load.pydantic_models import mistakes_of
from lyftlearn_runtime._load.texts import READERS, read_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Callable

    from lyftlearn_runtime._load.mistakes import Mistake


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


def load_dataclass(
    texts: Mapping[str, str], model: type[object], strict: bool
) -> tuple[object, list[Mistake]]:
    def value(name: str, annotation: object) -> object:
        return _from_text(texts[name], annotation, strict)

    fields = _fields(model)
    values, mistakes = _values(fields, texts, value, "")
    if strict:
        mistakes += unknown_names((name for name in texts if name not in fields), fields, model)
    # Unsupported annotations show at the first load, not at the first document with such.
    for name, field in fields.items():
        if name not in texts:
            words_for(field.annotation, f"{model.__name__}.{name}")
    return (None, mistakes) if mistakes else _made(model, values)


def _values(
    fields: dict[str, _Field],
    present: Mapping[str, object],
    value: Callable[[str, object], object],
    prefix: str,
) -> tuple[dict[str, object], list[Mistake]]:
    values, mistakes = {}, []
    for name, field in fields.items():
        if name in present:
            try:
                values[name] = value(name, field.annotation)
            except Wrong as wrong:
                mistakes += wrong.below(f"{prefix}{name}")
        elif field.required:
            expected = f"missing, expected {words_for(field.annotation, name)}"
            mistakes.append((f"{prefix}{name}", expected))
    return values, mistakes


def _made(model: type[object], values: dict[str, object]) -> tuple[object, list[Mistake]]:
    """The instance. What __post_init__ raises is the caller's own and goes through, but for
    pydantic's dataclasses."""
    try:
        return model(**values), []
    except Exception as error:
        mistakes = mistakes_of(error, model)
        if mistakes is None:
            raise
        return None, mistakes


def _tells(wrong: Wrong, alternatives: list[object]) -> bool:
    """Whether what is wrong with one of these tells more than that none of them fits: a
    place in the only shape, null aside."""
    return len([one for one in alternatives if one is not NONE]) == 1 and wrong.inside


def _from_text(text: str, annotation: object, strict: bool) -> object:
    """A hyperparameter's value as its declared type."""
    alternatives = alternatives_of(annotation)
    for alternative in alternatives:
        try:
            return _from_text_one(text, alternative, strict)
        except Wrong as wrong:
            if _tells(wrong, alternatives):
                raise
    raise Wrong.one(f"expected {words_for(annotation)}")


def _from_text_one(text: str, annotation: object, strict: bool) -> object:
    found: object = Wrong
    if annotation in READERS:
        found = READERS[annotation](text)
    elif is_class(annotation, pathlib.PurePath):
        found = typing.cast("type[pathlib.PurePath]", annotation)(text)
    elif is_choice(annotation):
        for written, wanted in choices_of(annotation):
            if text == written if isinstance(written, str) else _is_text_of(text, written):
                return wanted
    else:
        words = words_for(annotation)
        try:
            document = read_document(text)
        except ValueError:
            raise Wrong.one(f"expected {words}") from None
        return _from_json(document, annotation, strict)
    if found is Wrong:
        raise Wrong.one(f"expected {words_for(annotation)}")
    return found


def _is_text_of(text: str, value: object) -> bool:
    """Whether `text` writes `value` down, by the rules for its type."""
    try:
        # bool is an int to Python, and not to people.
        return bool(_from_text_one(text, type(value), False) == value)
    except (Wrong, TypeError):
        return False


def _from_json(value: object, annotation: object, strict: bool) -> object:
    """A value of a JSON document as its declared type. 3 is a number; "3" and true are none."""
    alternatives = alternatives_of(annotation)
    for alternative in alternatives:
        try:
            found = _from_json_one(value, alternative, strict)
        except Wrong as wrong:
            if _tells(wrong, alternatives):
                raise
        else:
            if found is not Wrong:
                return found
    raise Wrong.one(f"expected {words_for(annotation)}")


def _from_json_one(value: object, annotation: object, strict: bool) -> object:
    """The value, or Wrong; that with a place in it is raised."""
    found: object = Wrong
    if annotation in (typing.Any, object) or type(annotation) is typing.TypeVar:
        found = value
    elif annotation is float and type(value) is int:
        # A number beyond all floats is not converted to infinity.
        found = float(value) if abs(value) < 2**1023 else found
    elif annotation in READERS:
        found = value if type(value) is annotation else found
    elif is_class(annotation, pathlib.PurePath) and isinstance(value, str):
        found = typing.cast("type[pathlib.PurePath]", annotation)(value)
    elif is_choice(annotation):
        for written, wanted in choices_of(annotation):
            if type(written) is type(value) and written == value:
                return wanted
    elif isinstance(value, list):
        found = _list(value, annotation, strict)
    elif isinstance(value, dict):
        if (typing.get_origin(annotation) or annotation) in OBJECTS:
            found = _object(value, typing.get_args(annotation), strict)
        elif isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
            found = _nested(value, annotation, strict)
    return found


def _list(value: list[object], annotation: object, strict: bool) -> object:
    origin = typing.get_origin(annotation) or annotation
    arguments = typing.get_args(annotation)
    if origin is tuple:
        return _tuple(value, arguments, strict, words_for(annotation))
    if origin not in LISTS:
        return Wrong
    item = arguments[0] if arguments else typing.Any
    made = _each(value, [item] * len(value), strict)
    try:
        return LISTS[origin](made)
    except TypeError:
        return Wrong  # A set of values without a hash.


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
        raise Wrong.one(f"expected {words}")
    return tuple(_each(value, list(arguments), strict))


def _each(values: list[object], annotations: list[object], strict: bool) -> list[object]:
    made = []
    for place, (value, annotation) in enumerate(zip(values, annotations)):
        try:
            made.append(_from_json(value, annotation, strict))
        except Wrong as wrong:
            raise Wrong(wrong.below(f"[{place}]"), inside=True) from None
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
        except Wrong as wrong:
            # The name is part of the value.
            raise Wrong(wrong.below("[...]"), inside=True) from None
    return made


def _nested(value: dict[str, object], model: type[object], strict: bool) -> object:
    def inner(name: str, annotation: object) -> object:
        return _from_json(value[name], annotation, strict)

    fields = _fields(model)
    values, mistakes = _values(fields, value, inner, ".")
    if strict and any(name not in fields for name in value):
        mistakes.append(("", f"expected no other names than {', '.join(fields)}"))
    if mistakes:
        raise Wrong(mistakes, inside=True)
    made, mistakes = _made(model, values)
    if mistakes:
        below = [(f".{place}", expected) for place, expected in mistakes]
        raise Wrong(below, inside=True)
    return made
