"""What a declared type is: without its wrappings, as its alternatives, and in words."""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import enum
import pathlib
import types
import typing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Callable


NONE: object = type(None)
_UNIONS = {typing.Union, getattr(types, "UnionType", typing.Union)}
LISTS: dict[object, Callable[[Iterable[object]], object]] = {
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

OBJECTS = {dict, collections.abc.Mapping, collections.abc.MutableMapping}


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


def alternatives_of(annotation: object) -> list[object]:
    """A union's, what is more particular first; else the annotation alone."""
    annotation = _bare(annotation)
    if typing.get_origin(annotation) not in _UNIONS:
        return [annotation]
    found: list[object] = []
    for argument in typing.get_args(annotation):
        found += alternatives_of(argument)
    texts = (str, typing.Any, object)
    # A path is any text but null; beside str even null is a text.
    null = 4 if any(alternative in texts for alternative in found) else 1

    def rank(alternative: object) -> int:
        if alternative is NONE:
            return null
        return 3 if alternative in texts else 2 * is_class(alternative, pathlib.PurePath)

    return sorted(found, key=rank)


def is_class(annotation: object, of: type[object]) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, of)


def words_for(annotation: object, where: str = "") -> str:
    """What is expected, for people. TypeError for an annotation that nothing is known of."""
    alternatives = alternatives_of(annotation)
    if len(alternatives) > 1:
        return " or ".join(words_for(alternative, where) for alternative in alternatives)
    bare = alternatives[0]
    origin = typing.get_origin(bare) or bare
    simple: dict[object, str] = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        NONE: "null",
        typing.Any: "a text",
        object: "a text",
        tuple: "a JSON list",
    }
    if is_class(bare, enum.Enum):
        words = _one_of([member.value for member in typing.cast("type[enum.Enum]", bare)])
    elif origin is typing.Literal:
        words = _one_of(typing.get_args(bare))
    elif origin in LISTS:
        words = "a JSON list"
    elif origin in OBJECTS or dataclasses.is_dataclass(bare):
        words = "a JSON object"
    elif is_class(bare, pathlib.PurePath):
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
            words_for(argument, where)
    return words


def _items(annotation: object) -> tuple[object, ...]:
    return typing.get_args(annotation)


def _one_of(values: Iterable[object]) -> str:
    """From the declaration, and so no secret."""
    return f"one of {', '.join(str(getattr(value, 'value', value)) for value in values)}"


def is_choice(annotation: object) -> bool:
    return is_class(annotation, enum.Enum) or typing.get_origin(annotation) is typing.Literal


def choices_of(annotation: object) -> list[tuple[object, object]]:
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
