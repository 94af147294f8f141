"""What was found is not what was declared: where, and what was expected there."""

from __future__ import annotations

import difflib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# The place in a hyperparameter, and what was expected there.
Mistake = tuple[str, str]


class Wrong(Exception):
    """What was found is not what was declared."""

    def __init__(self, mistakes: list[Mistake], inside: bool = False) -> None:
        self.mistakes = mistakes
        # The shape was right, and something in it was not.
        self.inside = inside

    @classmethod
    def one(cls, expected: str, place: str = "") -> Wrong:
        return cls([(place, expected)])

    def below(self, place: str) -> list[Mistake]:
        return [(f"{place}{inner}", expected) for inner, expected in self.mistakes]


def unknown_names(names: Iterable[str], known: Iterable[str], model: type[object]) -> list[Mistake]:
    """A mistake for each name that the model does not have."""
    known = list(known)
    mistakes = []
    for name in names:
        near = difflib.get_close_matches(name, known, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        mistakes.append((name, f"not in {model.__name__}{meant}"))
    return mistakes
