"""The stop that was asked for: callbacks, a flag and a deadline.

Two things may tell of it. PID 1 writes a file before it passes the stop signal on
(``_native.Shutdown``), so that one knows whoever owns SIGTERM here; and SIGTERM itself,
where nobody else has taken it. A handler of ours runs in the main thread between two
bytecodes, possibly between two of this module's own: what it shares with the rest is
changed by single operations (``append``, ``pop``, ``setdefault``) and under no lock.

Python lets only the main thread install a handler, and runs it only between two bytecodes. So
there is a second way for each: another thread that asks first has the kernel's signal held by
native code, and callbacks that a busy main thread does not take are run by a thread of ours.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import sys
import threading
import time
import warnings
from _thread import start_new_thread
from contextlib import suppress
from signal import SIGTERM, SIGUSR1
from threading import get_ident

from lyftlearn_runtime import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Callable, TypeVar

    _Callback = TypeVar("_Callback", bound=Callable[[], object])

# How often to look where the kernel has no inotify instance left (there are 128 for each
# user of a node).
_LOOK_AGAIN = 0.2
# How long to leave the main thread to what it is in the midst of, and how often.
_PAUSE = 0.01
_PAUSES = 100
# How long the main thread has to take the callbacks: a part of the time until the deadline, but
# this many seconds where there are twice as many.
_PART = 3
_LEAST = 1.0
# How long it has after it was signalled once more.
_TAKES = 0.25
# How a shell, PID 1 and every platform spell an end by SIGTERM.
_STOPPED = 128 + SIGTERM
# HyperPod's launcher starts a worker anew that has ended well.
_RESIZED = 0
_COROUTINE = 0x80  # inspect.CO_COROUTINE; the module would take milliseconds


class _Entry:
    """A callback, told from every other registration of the same."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback


class _Process:
    """What one process knows. A forked one begins anew."""

    def __init__(self, told: _native.Shutdown) -> None:
        self.pid = os.getpid()
        self.told = told
        # What PID 1 told: signal, time of the request, deadline, reason.
        self.request: tuple[str, float, float | None, str] | None = None
        # A launcher begins a new round, in which case PID 1 told nothing: the deadline of that.
        self.resize: tuple[float | None] | None = None
        # The error of the last read.
        self.broken: Exception | None = None
        # SIGTERM has come.
        self.signalled = False
        # A program that looks ends itself.
        self.looked = False
        self.armed = False
        # What becomes readable with SIGTERM where native code holds it.
        self.held: int | None = None
        # What becomes readable with any signal that Python handles: both ends of a pipe.
        self.woken: tuple[int, int] | None = None
        # Signal masks of threads that are about to fork.
        self.blocked: dict[int, set[int]] = {}
        # Somebody else's handlers, which ours call, by signal.
        self.chained: dict[int, Callable[[int, FrameType | None], object]] = {}
        self.handled = False
        self.postponed = 0
        self.exiting = False
        # What to end with once the callbacks are through.
        self.to_end: SystemExit | None = None
        # SystemExit that a callback raised in a thread, where it cannot end the process.
        self.lost: SystemExit | None = None
        self.entries: list[_Entry] = []
        # The thread that runs the callbacks: the first one.
        self.runners: dict[str, tuple[int, object]] = {}
        self.finished = threading.Event()
        # The main thread has a signal to deal with after that.
        self.awaited = False
        # Threads in the midst of a callback that came after those.
        self.late: list[int] = []
        self.threads: dict[str, threading.Thread] = {}
        # Wakes waiting threads: a pipe in which a byte stays, and inotify's descriptor.
        self.descriptors: dict[str, tuple[int, int, int | None]] = {}

    # Knowing.

    def noted(self) -> bool:
        """Whether a stop was asked for."""
        if self.request is not None:
            return True
        try:
            request = self.told.requested()
        except _native.LyftlearnRuntimeError:
            # Every waiting thread checks for itself.
            self.wake()
            raise
        if request is None:
            return self.signalled
        if request[3] == "resize":
            # Where native code holds the signal. PID 1 may tell of a stop after this.
            self.signalled = True
            self.resize = self.resize or (request[2],)
        else:
            self.request = request
        self.wake()
        return True

    def noted_for_sure(self) -> bool:
        """The same where nobody could be told of a broken file: one that is there at all
        is a stop."""
        try:
            return self.noted()
        except _native.LyftlearnRuntimeError as error:
            self.broken = error
            self.signalled = True
            self.wake()
            return True

    def note_signal(self, number: int) -> None:
        """Notes that a signal of a stop or of a new round has come."""
        self.signalled = True
        self.noted_for_sure()
        round = self.told.round
        if self.request is None and self.resize is None and round and round[0] == number:
            self.resize = (None if round[1] is None else time.monotonic() + round[1],)
        self.wake()

    @property
    def reason(self) -> str | None:
        if not self.noted():
            return None
        return "stop" if self.request is not None or self.resize is None else "resize"

    @property
    def deadline(self) -> float | None:
        if not self.noted():
            return None
        if self.request is not None:
            return self.request[2]
        return None if self.resize is None else self.resize[0]

    @property
    def exit_code(self) -> int:
        """What a program ends with that leaves its end to us."""
        by_hyperpod = self.told.round is not None and self.told.round[0] == SIGUSR1
        return _RESIZED if by_hyperpod and self.reason == "resize" else _STOPPED

    def wake(self) -> None:
        """Wakes everybody who waits, for good."""
        for descriptors in self.descriptors.values():
            _write(descriptors[1])

    # Waiting.

    def waiting(self) -> tuple[int, int | None]:
        """What becomes readable: for good with the stop, and when PID 1 may have told."""
        if "all" not in self.descriptors:
            read, write = os.pipe()
            os.set_blocking(write, False)
            try:
                watch = self.told.watch()
            except _native.LyftlearnRuntimeError:
                watch = None
            made = (read, write, watch)
            if self.descriptors.setdefault("all", made) is not made:
                _close(made)
        read, _, watch = self.descriptors["all"]
        return read, watch

    def block(self, timeout: float | None) -> bool:
        """Waits until a stop is asked for, or until `timeout` has passed."""
        end = None if timeout is None else time.monotonic() + timeout
        if self.noted():
            return True
        read, watch = self.waiting()
        looks = watch is None and self.told.supervised
        poll = select.poll()
        main = get_ident() == threading.main_thread().ident
        if main and self.woken is None and signal.getsignal(SIGTERM) is _on_signal:
            self.wake_up_by_signals()
        woken = self.woken[0] if main and self.woken is not None else None
        for descriptor in (read, watch, self.held, woken):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        while True:
            # The watch first, then the file: a change in between wakes the thread.
            _empty(watch)
            _empty(woken)
            if self.noted():
                return True
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            if looks:
                left = _LOOK_AGAIN if left is None else min(left, _LOOK_AGAIN)
            # Rounded up: rounded down, the last millisecond would be spent in circles.
            ready = poll.poll(None if left is None else int(min(left, 3600) * 1000) + 1)
            for descriptor, event in ready:
                if event & select.POLLNVAL:
                    # Another part of the program closed a descriptor that it does not own.
                    poll.unregister(descriptor)
                    looks = True

    # Arming.

    def arm(self) -> None:
        """Takes SIGTERM where nobody has; puts itself before whoever has, where nobody else
        would tell. Only the main thread can; for another the signal is held."""
        if self.armed:
            return
        handler = signal.getsignal(SIGTERM)
        if get_ident() != threading.main_thread().ident:
            if self.held is None and handler == signal.SIG_DFL:
                with suppress(_native.LyftlearnRuntimeError):
                    self.held = self.told.hold()
            return
        self.armed = True
        try:
            if handler == signal.SIG_DFL:
                signal.signal(SIGTERM, _on_signal)
            elif callable(handler) and not self.told.supervised:
                self.chain(SIGTERM, handler)
            if self.told.round is not None and self.told.round[0] == SIGUSR1:
                self.arm_for_hyperpod()
        except ValueError:
            pass  # A subinterpreter: signals are the first one's.

    def arm_for_hyperpod(self) -> None:
        """Takes SIGUSR1 beside SIGTERM. HyperPod's own library may have taken it."""
        handler = signal.getsignal(SIGUSR1)
        if callable(handler):
            self.chain(SIGUSR1, handler)
        else:
            signal.signal(SIGUSR1, _on_signal)

    def chain(self, number: int, handler: Callable[[int, FrameType | None], object]) -> None:
        self.chained[number] = handler
        signal.signal(number, _on_signal_of_another)
        if self.entries:
            self.watch()

    def wake_up_by_signals(self) -> None:
        """Python runs a handler between two bytecodes. A signal that comes after the last of
        them and before the main thread sleeps would wait until it wakes up; C's handler writes
        to this pipe at once. Not where somebody else (asyncio) has it."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        if before == -1:
            self.woken = (read, write)
        else:
            signal.set_wakeup_fd(before)
            _close((read, write, None))

    def watch(self) -> None:
        """Starts the thread that is told, where a handler of ours may not be."""
        if not self.told.supervised and not self.chained and self.held is None:
            return
        thread = threading.Thread(target=self.watched, name="lyftlearn-shutdown", daemon=True)
        if self.threads.setdefault("watch", thread) is thread:
            thread.start()

    def watched(self) -> None:
        try:
            self.block(None)
        except _native.LyftlearnRuntimeError:
            self.noted_for_sure()
        if signal.getsignal(SIGTERM) is _on_signal:
            # The signal is on its way to the main thread: PID 1 may hold it back a while
            # (for load balancers). One that has not come by then went to another process
            # group, or to a parent that keeps it to itself.
            self.finished.wait(self.patience())
            if not self.runners and signal.getsignal(SIGTERM) is _on_signal:
                _signal_main_thread()
                # Or the main thread is in native code for an unknown time.
                self.finished.wait(_TAKES)
        leave = self.run()
        handler = signal.getsignal(SIGTERM)
        if self.held is not None and handler == signal.SIG_DFL and not self.looked:
            # The main thread knows nothing of this.
            _leave_at_once(leave or SystemExit(self.exit_code))
        # Otherwise the exit code of a callback is ignored: the owner of SIGTERM ends the process.

    def patience(self) -> float:
        """How long to wait for the main thread."""
        deadline = self.deadline
        if deadline is None:
            return _LEAST
        left = max(0.0, deadline - time.monotonic())
        return left / _PART if left < 2 * _LEAST else max(_LEAST, left / _PART)

    # Running.

    def run(self) -> SystemExit | None:
        """Runs the callbacks, unless somebody does or did; returns what one of them wants
        the process to end with."""
        own = (get_ident(), object())
        if self.runners.setdefault("callbacks", own) is not own:
            return None
        leave = None
        try:
            if self.broken is not None:
                _report("what PID 1 told", self.broken)
            while self.entries:
                error = self.call(self.entries.pop(0))
                leave = leave or error
        finally:
            main = get_ident() == threading.main_thread().ident
            if not main and signal.getsignal(SIGTERM) is _on_signal:
                # For the main thread, when it comes back.
                self.to_end = self.to_end or leave
            self.finished.set()
            if self.awaited and not main:
                _signal_main_thread()
        return leave

    def runs_elsewhere(self) -> bool:
        """Whether another thread is in the midst of the callbacks; it signals the main thread
        when it is through."""
        runner = self.runners.get("callbacks")
        if runner is None or runner[0] == get_ident():
            return False
        self.awaited = True
        return not self.finished.is_set()

    def call(self, entry: _Entry) -> SystemExit | None:
        try:
            entry.callback()
        except SystemExit as error:
            return error
        except BaseException as error:
            _report(entry.callback, error)
        return None

    def runs_here(self) -> bool:
        """Whether this thread is in the midst of the callbacks."""
        runner = self.runners.get("callbacks")
        running = runner is not None and runner[0] == get_ident() and not self.finished.is_set()
        return running or get_ident() in self.late

    # Ending.

    def end(self, frame: FrameType | None, leave: SystemExit | None) -> None:
        """Ends a program that does not do so itself."""
        leave = leave or self.to_end
        if self.exiting or (leave is None and self.looked):
            return
        error = leave or SystemExit(self.exit_code)
        if self.runs_here():
            # The signal came in the midst of a callback, which must be left in peace.
            self.to_end = error
            return
        if _is_past_its_end(frame):
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    if stream is not None:
                        stream.flush()
            _die()
        self.follow(error)
        raise error

    def follow(self, error: SystemExit) -> None:
        """Raises it again should it get lost: Python ignores what is raised in a weak
        reference's callback or in ``__del__``, and a signal may come there as anywhere."""
        before = sys.unraisablehook

        def unraisablehook(unraisable: sys.UnraisableHookArgs) -> None:
            if unraisable.exc_value is not error:
                before(unraisable)
                return
            self.lost = error
            # Not before this hook is left as well.
            self.signal_again()

        sys.unraisablehook = unraisablehook

    def signal_again(self) -> None:
        """Has the main thread's handler called anew, a little later."""

        def pause() -> None:
            time.sleep(_PAUSE)
            _signal_main_thread()

        start_new_thread(pause, ())


class Shutdown:
    """Whether a stop was asked for: StopTrainingJob, a spot interruption, an eviction, a
    scale-down, ``podman stop``.

    Under ``lyftlearn-runtime run`` every process of the container knows, whoever owns
    SIGTERM there. Without it a process knows by SIGTERM alone, if it came when a handler of
    ours was there.

    The first use arms, in whichever thread: where SIGTERM has its default action, from then
    on it does not end the process any more, and the program ends itself in its own time.
    Where somebody else handles SIGTERM (gunicorn, uvicorn, asyncio's add_signal_handler, a
    handler of your own), that handler stays and works; only without ``lyftlearn-runtime run``
    one of ours is put before it, which notes the signal and calls it. A handler that is
    installed later replaces ours, as it would any other.

    Raises ContractError or UnreadableError when what PID 1 wrote is broken.
    """

    @property
    def requested(self) -> bool:
        """Whether a stop was asked for. Two microseconds: look as often as you like."""
        return _looked().noted()

    @property
    def deadline(self) -> float | None:
        """When what still runs will be killed, in time.monotonic()'s seconds; None while no
        stop was asked for, and where nobody tells (without ``lyftlearn-runtime run``).
        """
        return _looked().deadline

    @property
    def reason(self) -> str | None:
        """Why this process is to end: None while nobody has asked, "stop" when the container
        ends, "resize" when a launcher ends its workers and starts them anew, because nodes
        came or went or one failed (torchrun's new rounds, HyperPod's scale events). The same
        checkpoint serves both. A resize becomes a stop when the platform asks for one.
        """
        return _looked().reason

    @property
    def seconds_left(self) -> float | None:
        """How many seconds there are until the deadline, never less than 0; None where there
        is none.
        """
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks until a stop is asked for, or until `timeout` seconds have passed; says
        whether it was asked for, as threading.Event.wait does.

        For any thread; takes no processor time meanwhile.
        """
        return _looked().block(timeout)

    async def wait_async(self, timeout: float | None = None) -> bool:
        """The same for asyncio: without a thread, and it may be cancelled at any time."""
        import asyncio  # noqa: PLC0415 - a caller has imported it already

        process = _looked()
        if process.noted():
            return True
        loop = asyncio.get_running_loop()
        found: asyncio.Future[bool] = loop.create_future()

        def look(again: bool = False) -> None:
            if found.done():
                return
            try:
                _empty(watch)
                if process.noted():
                    found.set_result(True)
                elif again:
                    timers["look"] = loop.call_later(_LOOK_AGAIN, look, True)
            except Exception as error:
                found.set_exception(error)

        def give_up() -> None:
            if not found.done():
                found.set_result(False)

        shared_read, shared_watch = process.waiting()
        # A descriptor for each waiting task, because a loop allows one reader for each descriptor.
        read = os.dup(shared_read)
        watch = None if shared_watch is None else os.dup(shared_watch)
        held = None if process.held is None else os.dup(process.held)
        timers = {}
        try:
            if timeout is not None:
                timers["timeout"] = loop.call_later(timeout, give_up)
            for descriptor in (read, watch, held):
                if descriptor is not None:
                    loop.add_reader(descriptor, look)
            look(again=watch is None and process.told.supervised)
            return await found
        finally:
            for timer in timers.values():
                timer.cancel()
            for descriptor in (read, watch, held):
                if descriptor is not None:
                    if not loop.is_closed():
                        loop.remove_reader(descriptor)
                    os.close(descriptor)

    def __repr__(self) -> str:
        return "<lyftlearn_runtime.shutdown>"


shutdown = Shutdown()


def on_shutdown(callback: _Callback, /) -> _Callback:
    """Calls `callback` once, without arguments, when a stop is asked for; returns it, so
    that this can be a decorator.

    Where it runs:

    * In a plain script, which leaves SIGTERM to us: in the main thread, between two
      bytecodes. So it does not run beside a training step; it must not take a lock that the
      main thread may hold.
    * In a plain script whose main thread does not return from native code (a ``fit()`` of
      minutes) within a third of the time until the deadline, and at least a second: in a
      thread of its own, beside that call. A call that goes on until the deadline is killed.
      This needs ``lyftlearn-runtime run``.
    * Where somebody else handles SIGTERM (gunicorn, uvicorn, asyncio's add_signal_handler, a
      handler of your own), before or after: in a thread of its own, while the other handler
      does its work. A process that ends by itself waits for it; one that ends by raising
      SIGTERM again, with nobody to handle it (uvicorn's workers do), does not.
    * At once, and in the caller's thread, when the stop has been asked for already.

    In the order of registration. What one of them raises is printed, and the others run all
    the same; by SystemExit one says with what the process is to end, where that is ours to
    say. A second SIGTERM changes nothing.

    In a worker of torchrun under ``lyftlearn-runtime run``, and of HyperPod's launcher, they
    are called as well when a new round begins: rt.shutdown.reason is "resize" then. After a
    round of HyperPod's the script ends with 0. All ranks are told, but not at the same step: a
    rank that saves alone and leaves makes the others fail in the middle of a step. Where a save
    is a collective, look at rt.shutdown.requested in the loop and agree (a max-reduce of it).

    After the last one a plain script is ended by SystemExit(143), as the signal would have,
    but so that ``finally`` and atexit do their work. A program that has ever used
    rt.shutdown (outside of callbacks) is left to end itself.

    The callbacks belong to this process. A forked child has none of them, and SIGTERM does
    to it what it did before; data loaders' workers die as ever.

    Registered in another thread than the main one, where the main thread has never asked for
    a stop, callbacks run in a thread of their own, and then end the process with 143, without
    ``finally`` and atexit.

    Without ``lyftlearn-runtime run`` SIGTERM alone tells of a stop: of another handler's
    coming later nothing is known. A RuntimeWarning says where the callbacks may not be called.
    """
    if not callable(callback):
        raise TypeError(f"on_shutdown takes a function, not {type(callback).__name__}")
    flags = getattr(getattr(callback, "__code__", None), "co_flags", 0)
    if flags & _COROUTINE:
        raise TypeError(
            "on_shutdown takes a function, not a coroutine function:"
            " await rt.shutdown.wait_async() instead"
        )
    process = _process
    entry = _Entry(callback)
    process.entries.append(entry)
    process.arm()
    if process.noted_for_sure():
        leave = process.run()
        process.late.append(get_ident())
        try:
            with suppress(ValueError):
                # Not among those that were run: that was before.
                process.entries.remove(entry)
                leave = process.call(entry)
        finally:
            process.late.remove(get_ident())
        leave = leave or process.to_end
        if leave is not None:
            raise leave
        return callback
    process.watch()
    handled = signal.getsignal(SIGTERM) != signal.SIG_DFL
    told = process.armed or process.held is not None or (handled and process.told.supervised)
    if not told:
        warnings.warn(
            "on_shutdown cannot take SIGTERM here, and may not be told of a stop:"
            " look at rt.shutdown.requested in the main thread once",
            RuntimeWarning,
            stacklevel=2,
        )
    return callback


def _looked() -> _Process:
    process = _process
    if not process.runs_here():
        process.looked = True
    process.arm()
    return process


def _on_signal(number: int, frame: FrameType | None) -> None:
    """SIGTERM, or a new round's signal, where nobody else has taken it. In the main thread."""
    process = _process
    if process.pid != os.getpid():
        # Forked outside of Python: the child has the default action.
        _die(number)
    if process.handled:
        # Another one, while the first is dealt with or afterwards; or our own.
        lost, process.lost = process.lost, None
        if lost is not None:
            raise lost
        return
    process.note_signal(number)
    if process.entries and _is_printing() and process.postponed < _PAUSES:
        process.postponed += 1
        process.signal_again()
        return
    if process.runs_elsewhere():
        # A callback may need what this thread holds: it goes on meanwhile.
        return
    process.handled = True
    leave = process.run()
    process.end(frame, leave)


def _on_signal_of_another(number: int, frame: FrameType | None) -> None:
    """The same before whoever has taken it: the thread that waits runs the callbacks."""
    process = _process
    chained = process.chained.get(number)
    if process.pid == os.getpid():
        process.note_signal(number)
    if chained is not None:
        chained(number, frame)


def _at_exit() -> None:
    """A process that ends by itself waits for its callbacks."""
    process = _process
    process.exiting = True
    if process.entries and process.noted_for_sure():
        # The thread has not even woken up.
        process.run()
    if process.runners and not process.runs_here():
        process.finished.wait()
    if signal.getsignal(SIGTERM) is _on_signal and (process.handled or process.request):
        # Python is about to restore the default, by which a signal that comes late would
        # take the place of the exit code.
        with suppress(ValueError):
            signal.signal(SIGTERM, signal.SIG_IGN)


def _after_fork() -> None:
    """The child forgets, and SIGTERM does to it what it did before us."""
    global _process
    # What native code holds is the parent's signal.
    told = _process.told if _process.held is None else _native.Shutdown()
    parent, _process = _process, _Process(told)
    _process.request, _process.signalled = parent.request, parent.signalled
    _process.resize = parent.resize
    for number in (SIGTERM, SIGUSR1):
        handler = signal.getsignal(number)
        held = number == SIGTERM and parent.held is not None
        if handler is _on_signal or (held and handler == signal.SIG_DFL):
            signal.signal(number, signal.SIG_DFL)
        elif handler is _on_signal_of_another:
            signal.signal(number, parent.chained[number])
    for descriptors in parent.descriptors.values():
        _close(descriptors)
    if parent.woken is not None:
        found = signal.set_wakeup_fd(-1)
        if found not in (-1, parent.woken[1]):
            signal.set_wakeup_fd(found)
        _close((*parent.woken, None))
    _unblock(parent)


def _before_fork() -> None:
    """Native code cannot tell a signal that comes to the child from one to the parent: it
    waits until the child has forgotten."""
    if _process.held is not None:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [SIGTERM])
        _process.blocked[get_ident()] = blocked


def _after_fork_in_parent() -> None:
    _unblock(_process)


def _unblock(process: _Process) -> None:
    mask = process.blocked.pop(get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _is_past_its_end(frame: FrameType | None) -> bool:
    """Whether the main thread has run its program and waits for other threads: what it
    raised there would be printed, and come to nothing."""
    if frame is None:
        return True
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_name == "_shutdown" and frame.f_globals.get("__name__") == "threading"


def _is_printing() -> bool:
    """Whether the signal came in the midst of a write to a standard stream: Python would
    refuse a callback's own, and with it perhaps the checkpoint that it announces."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except RuntimeError:
            return True
        except Exception:
            continue
    return False


def _signal_main_thread() -> None:
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, SIGTERM)


def _die(number: int = SIGTERM) -> None:
    """Ends the process as the signal would have without us."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _leave_at_once(error: SystemExit) -> None:
    """Ends the process from a thread that is not the main one."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            if stream is not None:
                stream.flush()
    code = error.code
    os._exit(0 if code is None else code & 0xFF if isinstance(code, int) else 1)


def _empty(watch: int | None) -> None:
    """Takes what has arrived: what it was does not matter, as everybody looks for the file
    itself afterwards."""
    with suppress(OSError):
        while watch is not None and os.read(watch, 4096):
            pass


def _write(descriptor: int) -> None:
    # Full: it was written often enough.
    with suppress(OSError):
        os.write(descriptor, b"\0")


def _close(descriptors: tuple[int, int, int | None]) -> None:
    for descriptor in descriptors:
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


def _report(what: object, error: BaseException) -> None:
    """A traceback on stderr, as for any exception that nobody catches."""
    with suppress(Exception):
        import traceback  # noqa: PLC0415 - three milliseconds, for what rarely happens

        stream = sys.stderr
        if stream is None:
            return
        stream.write(f"Exception ignored in on_shutdown: {what!r}\n")
        # Without the frame that called.
        trace = error.__traceback__ and error.__traceback__.tb_next
        traceback.print_exception(type(error), error, trace, file=stream)
        stream.flush()


_process = _Process(_native.Shutdown())
atexit.register(_at_exit)
os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork
)
