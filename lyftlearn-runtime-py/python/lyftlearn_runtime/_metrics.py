"""Metrics: counters, gauges, histograms and timers that no ending of a process loses."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from lyftlearn_runtime import _native
from lyftlearn_runtime._native import Counter, Gauge, Histogram, Series, Timer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Callable, Literal

    _Aggregate = Literal["last", "sum", "max", "min"]
    _Function = TypeVar("_Function", bound=Callable[..., object])

_Handle = TypeVar("_Handle", Counter, Gauge, Histogram)
_COROUTINE = 0x80  # inspect.CO_COROUTINE; the module would take milliseconds


class Family(Generic[_Handle]):
    """A metric whose labels have names, and no values yet."""

    def __init__(
        self, name: str, labels: tuple[str, ...], make: Callable[[dict[str, str]], _Handle]
    ) -> None:
        self._name = name
        self._labels = labels
        self._make: Callable[[dict[str, str]], _Handle] = make
        self._handles: dict[tuple[str, ...], _Handle] = {}

    def labels(self, *values: str, **named: str) -> _Handle:
        """The series with these values, in the order of the labels or by their names.

        Raises ValueError when they are not those that were declared.
        """
        if named:
            positional = len(self._labels) - len(named)
            rest: list[str] = []
            with suppress(KeyError):
                rest = [named[label] for label in self._labels[positional:]]
            values = (*values, *rest) if positional == len(values) else ()
        handle = self._handles.get(values)
        if handle is None:
            if len(values) != len(self._labels):
                raise ValueError(f'metric "{self._name}": its labels are {list(self._labels)}')
            handle = self._make(_texts(self._name, zip(self._labels, values)))
            self._handles[values] = handle
        return handle

    def __repr__(self) -> str:
        return f"<{self._name} by {', '.join(self._labels)}>"


class Metrics:
    """Counters, gauges, histograms and timers. Nothing happens until the first use.

    Under ``lyftlearn-runtime run`` all processes of the container count in one place: forked,
    spawned or started from a shell. There is nothing to flush and nothing to set up, and
    neither os._exit nor SIGKILL loses what was counted. Elsewhere a process counts for
    itself and the children that it forks, and `degraded` says so.

    A metric's labels are given (``labels={"split": "train"}``) or declared
    (``labels=["split"]``, then ``.labels(split="train")``). What is asked for a second time
    is the same handle; keep it where every nanosecond counts.

    Names are Prometheus' ("Metric names and labels"). Raises ValueError, which names the
    metric, when they are not; and when a name is asked for as two kinds.
    """

    def __init__(self) -> None:
        # By name and labels in any order that they came in.
        self._counters: dict[object, Counter | Family[Counter]] = {}
        self._gauges: dict[object, Gauge | Family[Gauge]] = {}
        self._histograms: dict[object, Histogram | Family[Histogram]] = {}
        self._kinds: dict[str, tuple[str, str]] = {}
        self._looked = False

    @overload
    def counter(
        self, name: str, labels: Mapping[str, str] | None = ..., *, help: str = ..., unit: str = ...
    ) -> Counter: ...
    @overload
    def counter(
        self, name: str, labels: Sequence[str], *, help: str = ..., unit: str = ...
    ) -> Family[Counter]: ...
    def counter(self, name: str, labels: Any = None, *, help: str = "", unit: str = "") -> Any:
        """A number that only grows: rows read, requests served."""
        key = _key(name, labels)
        found = self._counters.get(key)
        if found is None:
            self._introduce(name, "counter", "", unit, help)

            def make(labels: dict[str, str]) -> Counter:
                return _native.metrics_counter(name, labels)

            found = self._counters[key] = _made(name, labels, make)
            self._kinds[name] = ("counter", "")
        return found

    @overload
    def gauge(
        self,
        name: str,
        labels: Mapping[str, str] | None = ...,
        *,
        aggregate: _Aggregate = ...,
        help: str = ...,
        unit: str = ...,
    ) -> Gauge: ...
    @overload
    def gauge(
        self,
        name: str,
        labels: Sequence[str],
        *,
        aggregate: _Aggregate = ...,
        help: str = ...,
        unit: str = ...,
    ) -> Family[Gauge]: ...
    def gauge(
        self,
        name: str,
        labels: Any = None,
        *,
        aggregate: _Aggregate = "last",
        help: str = "",
        unit: str = "",
    ) -> Any:
        """A number that goes up and down: a loss, requests in progress.

        Every process has its own. Shown is what a living one has set last, or with another
        `aggregate` the "sum", "max" or "min" of those that live.
        """
        key = _key(name, labels)
        found = self._gauges.get(key)
        if found is None or self._kinds[name][1] != aggregate:
            self._introduce(name, "gauge", aggregate, unit, help)

            def make(labels: dict[str, str]) -> Gauge:
                return _native.metrics_gauge(name, labels, aggregate)

            found = self._gauges[key] = _made(name, labels, make)
            self._kinds[name] = ("gauge", aggregate)
        return found

    @overload
    def histogram(
        self, name: str, labels: Mapping[str, str] | None = ..., *, help: str = ..., unit: str = ...
    ) -> Histogram: ...
    @overload
    def histogram(
        self, name: str, labels: Sequence[str], *, help: str = ..., unit: str = ...
    ) -> Family[Histogram]: ...
    def histogram(self, name: str, labels: Any = None, *, help: str = "", unit: str = "") -> Any:
        """How often which values came. Buckets need not be chosen: there are eight for each
        power of two.
        """
        key = _key(name, labels)
        found = self._histograms.get(key)
        if found is None:
            self._introduce(name, "histogram", "", unit, help)

            def make(labels: dict[str, str]) -> Histogram:
                return _native.metrics_histogram(name, labels)

            found = self._histograms[key] = _made(name, labels, make)
            self._kinds[name] = ("histogram", "")
        return found

    def timer(self, name: str, labels: Mapping[str, str] | None = None, *, help: str = "") -> Timer:
        """Observes how many seconds a block or a function takes, also when an exception
        leaves it: ``with rt.metrics.timer("epoch"): ...``, or as a decorator. The histogram
        of that name, with the unit "seconds".
        """
        return self.histogram(name, labels, help=help, unit="seconds").time()

    def snapshot(self) -> list[Series]:
        """Every series of all processes, as it is now, sorted by kind, name and labels."""
        return _native.metrics_snapshot()[0]

    @property
    def dropped(self) -> int:
        """How often there was no room for a series: the setting metrics.region_bytes makes
        more.
        """
        return _native.metrics_snapshot()[1]

    @property
    def degraded(self) -> str | None:
        """Why nobody sees these metrics but this process and the children that it forks;
        None when all of the container counts in one place.
        """
        degraded = _native.metrics_degraded()
        return None if degraded is None else degraded[0]

    def _introduce(self, name: str, kind: str, aggregate: str, unit: str, help: str) -> None:
        """What is done before the first handle of a metric is made, and before the first of all."""
        known = self._kinds.get(name, (kind, aggregate))
        if known != (kind, aggregate):
            raise ValueError(f'metric "{name}": it is a {" ".join(filter(None, known))} already')
        if not self._looked:
            self._looked = True
            degraded = _native.metrics_degraded()
            if degraded is not None and degraded[1]:
                warnings.warn(
                    f"metrics stay in this process: {degraded[0]}", RuntimeWarning, stacklevel=3
                )
        if name not in self._kinds and (unit or help):
            _native.metrics_describe(name, unit, help)

    def __repr__(self) -> str:
        return "<lyftlearn_runtime.metrics>"


metrics = Metrics()


def _key(name: str, labels: Any) -> object:
    """Cheap, and told apart by what it is made of."""
    if labels is None:
        return name
    if isinstance(labels, dict):
        return (name, *labels.items())
    if isinstance(labels, str):
        raise TypeError(f'metric "{name}": labels are a mapping, or a list of names')
    return (name, *labels.items()) if hasattr(labels, "items") else (name, *labels)


def _made(name: str, labels: Any, make: Callable[[dict[str, str]], _Handle]) -> Any:
    if labels is None:
        return make({})
    if hasattr(labels, "items"):
        return make(_texts(name, labels.items()))
    names = tuple(labels)
    # Checked once with every label, so that an invalid name fails where it is written.
    _native.metrics_check(name, names)
    return Family(name, names, make)


def _texts(name: str, labels: Iterable[tuple[str, str]]) -> dict[str, str]:
    texts = dict(labels)
    for label, value in texts.items():
        if not isinstance(value, str):
            raise TypeError(
                f'metric "{name}": the label {label!r} takes a str, not {type(value).__name__}'
            )
    return texts


def _decorated(manager: Any, function: _Function) -> _Function:
    """`function` within `manager`, each time that it runs."""
    from functools import wraps  # noqa: PLC0415 - only decorators need it

    if getattr(getattr(function, "__code__", None), "co_flags", 0) & _COROUTINE:
        # Tasks take turns within a thread, so each call has its own timer.
        fresh = manager._another if isinstance(manager, Timer) else lambda: manager

        @wraps(function)
        async def asynchronous(*arguments: object, **named: object) -> object:
            with fresh():
                return await function(*arguments, **named)  # type: ignore[misc] # it is one

        return asynchronous  # type: ignore[return-value] # of the same signature

    @wraps(function)
    def wrapper(*arguments: object, **named: object) -> object:
        with manager:
            return function(*arguments, **named)

    return wrapper  # type: ignore[return-value] # of the same signature
