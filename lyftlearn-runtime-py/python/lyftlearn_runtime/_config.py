"""Configuration that changes while the program runs: a mapping, and callbacks."""

from __future__ import annotations

import os
import select
import sys
import threading
import warnings
from _collections_abc import Mapping
from contextlib import suppress

from lyftlearn_runtime import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator
    from typing import Any, Callable, TypeVar

    _Callback = TypeVar(
        "_Callback", bound=Callable[[_native.ConfigSnapshot, "frozenset[str]"], object]
    )

# How often to look beside inotify, in milliseconds: some file systems tell nothing of what
# others do.
_LOOK_AGAIN = 10_000
# The same where the kernel has no inotify instance left.
_LOOK_OFTEN = 1_000
_COROUTINE = 0x80  # inspect.CO_COROUTINE; the module would take milliseconds


class _Entry:
    """A callback, and what it knows."""

    def __init__(self, callback: Callable[..., object], known: Any) -> None:
        self.callback = callback
        self.known = known


class Process:
    """What one process follows, of a source that gives snapshots and a watch. A forked one
    begins anew.
    """

    def __init__(self, source: Callable[[], Any], name: str, said: str) -> None:
        self.source = source
        self.name = name
        self.said = said
        self.begin()

    def begin(self) -> None:
        """Forgets everything; a copied descriptor is closed with its watch."""
        self.lock = threading.Lock()
        self.entries: list[_Entry] = []
        self.thread: threading.Thread | None = None
        self.watch: Any = None

    def follow_by(self, callback: Callable[..., object], known: Any) -> None:
        """Calls it from now on, for what differs from what it knows."""
        self.entries.append(_Entry(callback, known))
        self.start()

    def start(self) -> None:
        """Starts the one thread, unless it runs."""
        with self.lock:
            if self.thread is not None:
                return
            with suppress(_native.LyftlearnRuntimeError):
                self.watch = self.source().watch()
            name = f"lyftlearn-{self.name}"
            self.thread = threading.Thread(target=self.follow, name=name, daemon=True)
            self.thread.start()

    def follow(self) -> None:
        poll = select.poll()
        if self.watch is not None:
            poll.register(self.watch.fileno(), select.POLLIN)
        said = ""
        while True:
            try:
                # Anew for each round: the watch first, then the files.
                look = self.source().snapshot if self.watch is None else self.watch.look
                now = look()
            except Exception as error:
                # The last set stays, until a whole one comes; said once.
                if str(error) != said:
                    said = str(error)
                    _print(f"{self.said}: {said}\n")
            else:
                said = ""
                self.tell(now)
            poll.poll(_LOOK_OFTEN if self.watch is None else _LOOK_AGAIN)

    def tell(self, now: Any) -> None:
        for entry in list(self.entries):
            changed = now.differences(entry.known)
            if not changed:
                continue
            entry.known = now
            try:
                entry.callback(now, frozenset(changed))
            except BaseException as error:
                _report(entry.callback, error)


class Config(Mapping[str, str]):
    """Live configuration: a file's name is the key, its content the value.

    On Kubernetes a ConfigMap's volume at /etc/lyftlearn/live, which the kubelet brings up to
    date within a minute and a half (Kubernetes, "Mounted ConfigMaps are updated
    automatically"); on SageMaker the directory live of the input channel lyftlearn, which
    never changes; or what the setting live.dirs names.

    A mapping of texts as they are now. Two questions may be answered by two sets: take a
    snapshot() for values that belong together. Where nothing has changed a question costs
    two system calls for a volume, and one for each file of any other directory. Nothing
    happens until the first one, and no thread starts before on_change.

    Raises ConfigError, naming every key, when a value is not UTF-8 or larger than 1 MiB;
    UnreadableError when something may not be read; SettingsError when settings are wrong.
    """

    def __getitem__(self, name: str, /) -> str:
        return self.snapshot()[name]

    def __contains__(self, name: object, /) -> builtins.bool:
        return name in self.snapshot()

    def __iter__(self) -> Iterator[str]:
        return iter(self.snapshot())

    def __len__(self) -> builtins.int:
        return len(self.snapshot())

    def __repr__(self) -> str:
        return "<lyftlearn_runtime.config>"

    # One of a kind.
    __hash__ = object.__hash__

    def int(self, name: str, default: builtins.int | None = None) -> builtins.int:
        """As ConfigSnapshot.int, of what holds now."""
        return self.snapshot().int(name, default)

    def float(self, name: str, default: builtins.float | None = None) -> builtins.float:
        """As ConfigSnapshot.float, of what holds now."""
        return self.snapshot().float(name, default)

    def bool(self, name: str, default: builtins.bool | None = None) -> builtins.bool:
        """As ConfigSnapshot.bool, of what holds now."""
        return self.snapshot().bool(name, default)

    def json(self, name: str, default: Any = None) -> Any:
        """As ConfigSnapshot.json, of what holds now."""
        return self.snapshot().json(name, default)

    def snapshot(self) -> _native.ConfigSnapshot:
        """All keys and values of one moment, which never changes."""
        return _native_config().snapshot()

    @property
    def problems(self) -> list[str]:
        """A sentence for each thing that will not follow its source: what is mounted by
        subPath stays what it was when the container started.
        """
        return _native_config().problems

    def on_change(self, callback: _Callback, /) -> _Callback:
        """Calls `callback(snapshot, changed)` after each change: the new set, and the names
        that were added, removed or have another value. Returns it, so that this can be a
        decorator.

        In one daemon thread of ours for all callbacks, in the order of registration, and
        never twice at once. Of changes that come faster than callbacks return only the last
        is told; the same content anew is no change. What a callback raises is printed, and
        the others are called all the same. While a new set cannot be read, that is printed
        once and nobody is called.

        A forked child has no callbacks and no thread. A RuntimeWarning says what will never
        change (`problems`). Raises what reading raises, and TypeError for what is no
        function.
        """
        checked(callback)
        for problem in self.problems:
            warnings.warn(problem, RuntimeWarning, stacklevel=2)
        _process.follow_by(callback, self.snapshot())
        return callback


def checked(callback: Any) -> None:
    """Refuses what cannot be called back."""
    if not callable(callback):
        raise TypeError(f"on_change takes a function, not {type(callback).__name__}")
    if getattr(getattr(callback, "__code__", None), "co_flags", 0) & _COROUTINE:
        raise TypeError("on_change takes a function, not a coroutine function")


def _native_config() -> _native.Config:
    if not _made:
        _made.append(_native.Config())
    return _made[0]


def _print(text: str) -> None:
    with suppress(Exception):
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


def _report(callback: object, error: BaseException) -> None:
    """A traceback on stderr, as for any exception that nobody catches."""
    import traceback  # noqa: PLC0415 - three milliseconds, for what rarely happens

    # Without the frame that called.
    trace = error.__traceback__ and error.__traceback__.tb_next
    lines = traceback.format_exception(type(error), error, trace)
    _print(f"Exception ignored in on_change: {callback!r}\n" + "".join(lines))


_made: list[_native.Config] = []
_process = Process(_native_config, "config", "live configuration")
config = Config()
os.register_at_fork(after_in_child=_process.begin)
