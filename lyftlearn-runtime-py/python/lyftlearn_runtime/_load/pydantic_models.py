"""Hyperparameters into a pydantic model, and pydantic's errors without its sentences.

Knows pydantic by what its models can do, and never by its name.
"""

from __future__ import annotations

import collections
import dataclasses
import typing

from lyftlearn_runtime._load.annotations import LISTS, NONE, OBJECTS, alternatives_of, is_class
from lyftlearn_runtime._load.mistakes import unknown_names
from lyftlearn_runtime._load.texts import NULLS, read_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from lyftlearn_runtime._load.mistakes import Mistake


# The expected value, by pydantic's type of error. Its own sentences quote values; of their context
# only the model's declarations are shown.
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


def load_model(texts: Mapping[str, str], model: Any, strict: bool) -> tuple[object, list[Mistake]]:
    fields = _fields_by_name(model)
    values: dict[str, object] = {}
    mistakes = []
    for name, text in texts.items():
        values[name] = text
        field = fields.get(name)
        if field is None or _wants_text(field):
            continue
        alternatives = alternatives_of(field.annotation)
        shapes = [alternative for alternative in alternatives if _has_structure(alternative)]
        if shapes:
            try:
                document = read_document(text)
            except ValueError:
                if len(shapes) == len([one for one in alternatives if one is not NONE]):
                    mistakes.append((name, "expected JSON"))
                    # Whatever it says of this one is beside the point.
                    values[name] = None
            else:
                # A text beside a shape is a text even when it reads as a number.
                if isinstance(document, (list, dict)) or str not in alternatives:
                    values[name] = document
        elif NONE in alternatives and str not in alternatives and text in NULLS:
            values[name] = None
    if strict:
        mistakes += unknown_names((name for name in texts if name not in fields), fields, model)
    broken = {name for name, _ in mistakes}
    loaded: object = None
    try:
        # Lax whatever the model says: a text is the only way to write a number here.
        loaded = model.model_validate(values, strict=False)
    except Exception as error:
        found = mistakes_of(error, model)
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
        origin in LISTS
        or origin in OBJECTS
        or any(is_class(origin, shape) for shape in shapes)
        or dataclasses.is_dataclass(origin)
        # Models, and TypedDict.
        or hasattr(origin, "model_fields")
        or hasattr(origin, "__total__")
    )


def mistakes_of(error: Exception, model: Any) -> list[Mistake] | None:
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
    for alternative in alternatives_of(annotation):
        if hasattr(alternative, "model_fields"):
            found.append(alternative)
        for argument in typing.get_args(alternative):
            found += _shapes_in(argument)
    return found
