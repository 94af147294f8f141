"""What a program has to know and nobody else: a mapping, and callbacks."""

from __future__ import annotations

import os
from _collections_abc import Mapping

from lyftlearn_runtime import _native
from lyftlearn_runtime._config import Process, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Callable, TypeVar

    _Callback = TypeVar(
        "_Callback", bound=Callable[[_native.SecretsSnapshot, "frozenset[str]"], object]
    )


class Secrets(Mapping[str, _native.Secret]):
    """The secrets that the setting secrets declares, by name.

    A mapping of what holds now: `rt.secrets["db"]["password"]`, `rt.secrets["token"].text`. Two
    questions may be answered by two sets: take a snapshot() for values that belong together.
    repr, str and format show names only, and nothing of it is pickled.

    Where no shim delivered any, those are there whose sources lie within the container; a
    question for another one raises SecretsError. Raises KeyError for one that nobody declared.
    """

    def __getitem__(self, name: str, /) -> _native.Secret:
        return self.snapshot()[name]

    def __contains__(self, name: object, /) -> bool:
        return name in self.snapshot()

    def __iter__(self) -> Iterator[str]:
        return iter(self.snapshot())

    def __len__(self) -> int:
        return len(self.snapshot())

    def __repr__(self) -> str:
        return "<lyftlearn_runtime.secrets>"

    # One of a kind.
    __hash__ = object.__hash__

    def snapshot(self) -> _native.SecretsSnapshot:
        """All secrets of one moment, which never changes."""
        return _native_secrets().snapshot()

    def on_change(self, callback: _Callback, /) -> _Callback:
        """Calls `callback(snapshot, changed)` after a secret that has a file has another value:
        the new set, and the names of what is new in it. Returns it, so that this can be a
        decorator.

        As rt.config.on_change otherwise, in a thread of its own.
        """
        checked(callback)
        _process.follow_by(callback, self.snapshot())
        return callback


def _native_secrets() -> _native.Secrets:
    if not _made:
        _made.append(_native.Secrets())
    return _made[0]


_made: list[_native.Secrets] = []
_process = Process(_native_secrets, "secrets", "secrets")
secrets = Secrets()
os.register_at_fork(after_in_child=_process.begin)
