"""Notes why a Python process failed, so that PID 1 can report the cause.

Noted are exceptions that nobody caught, and the text of ``sys.exit("text")`` or of an argparse
error when the process ends by it.

lyftlearn_runtime.pth imports this at the start of every Python where
LYFTLEARN_EXCEPTIONS_DIR is set, so it takes nothing that this Python has not loaded yet
(not even json, in whose place a program's own json.py may lie). It never raises, changes
no exit code and no traceback, and always calls the hook that was there before.
"""

import _thread
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType
    from typing import Any, Optional

    # File, line and function.
    _Place = tuple[str, Optional[int], Optional[str]]

_DIRECTORY = os.environ.get("LYFTLEARN_EXCEPTIONS_DIR", "")
# A program that fails in circles must not fill the memory that the directory is made of. The
# newest notes are kept: the last one may be the cause.
_FILES_OF_A_PROCESS = 8
_FILES = 64
# How much is kept of a message, and of a name or a path, in characters.
_CHARACTERS = 4096
_NAME_CHARACTERS = 512
# Longer chains and longer lines of ancestors are cut.
_LEVELS = 64
# A program that goes on for so many seconds after a sys.exit has caught it. Most teardowns end
# sooner. Less is not possible: a bare ``raise SystemExit`` that follows calls nothing.
_TEARDOWN = 60.0

_MAIN_THREAD = _thread.get_ident()


class _Process:
    """What one process has noted."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.pid = os.getpid()
        # Files, oldest first.
        self.names: list[str] = []
        # The main thread's note, which is written once more at the end.
        self.last: Optional[dict[str, Any]] = None
        self.last_name = ""
        # id() of the exception that was noted for the main thread. Python keeps the last one.
        self.noted = 0
        # The note of a sys.exit by which the process may be about to end.
        self.leaving: Optional[dict[str, Any]] = None
        self.registered = False


_process = _Process()


def _current() -> _Process:
    # A forked one begins anew.
    if _process.pid != os.getpid():
        _process.begin()
    return _process


def _note_exception(
    kind: "type[BaseException]",
    value: "Optional[BaseException]",
    trace: "Optional[TracebackType]",
    thread: "Optional[str]",
    logged: bool = False,
) -> None:
    # Somebody at a prompt sees for themselves, and goes on.
    if hasattr(sys, "ps1") or issubclass(kind, SystemExit):
        return
    exit_code = 130 if issubclass(kind, KeyboardInterrupt) else 1
    note = _described(kind, value, trace)
    note.update(_origin(thread, exit_code if thread is None else None))
    root = _root(value)
    if root is not None:
        note["cause"] = _described(type(root), root, root.__traceback__)
    if logged:
        note["logged"] = True
    process = _current()
    name = _write(process, note)
    if thread is not None:
        return
    process.leaving = None
    process.noted = id(value)
    if not logged:
        process.last, process.last_name = note, name
        _register(process)


def _is_logged(value: "Optional[BaseException]", caller: "Optional[FrameType]") -> bool:
    """Whether the program itself has passed an exception to the hook, and goes on."""
    while caller is not None and caller.f_back is not None:
        caller = caller.f_back
    # Python calls the hook for an exception that ends the program when all frames but those of
    # hooks are gone.
    return _last() is not value or (caller is not None and caller.f_code.co_name == "<module>")


def _last() -> "Optional[BaseException]":
    """The last exception for which Python has called a hook, whichever that is."""
    for name in ("last_exc", "last_value"):
        value = getattr(sys, name, None)
        if isinstance(value, BaseException):
            return value
    return None


def _note_exit(arguments: "tuple[Any, ...]", caller: "Optional[FrameType]") -> None:
    """Keeps the text of a sys.exit until the process ends: it may still be caught."""
    if hasattr(sys, "ps1") or _name_of_thread() is not None:
        return
    if caller is not None and caller.f_globals.get("__name__") == "multiprocessing.spawn":
        # It passes on what its child has ended by.
        return
    process = _current()
    process.leaving = None
    text, exit_code = _text_of_exit(arguments, caller)
    if not text:
        return
    note: dict[str, Any] = {"type": "SystemExit", "message": _shortened(text, _CHARACTERS)}
    _add_place(note, _place(_calls(caller)))
    note.update(_origin(None, exit_code))
    process.leaving = note
    _register(process)


def _text_of_exit(arguments: "tuple[Any, ...]", caller: "Optional[FrameType]") -> "tuple[str, int]":
    """What Python or argparse prints before the process ends, and the exit code."""
    status = arguments[0] if len(arguments) == 1 else None
    if isinstance(status, SystemExit):
        status = status.code
    if isinstance(status, tuple) and len(status) < 2:
        status = status[0] if status else None
    if status is None:
        return "", 0
    if not isinstance(status, int):
        return _message(status).strip(), 1
    # argparse prints its message itself, and ends with a number.
    code = None if caller is None else caller.f_code
    if caller is None or code is None or code.co_name != "exit":
        return "", status
    if caller.f_globals.get("__name__") != "argparse":
        return "", status
    message = caller.f_locals.get("message")
    return (message.strip() if isinstance(message, str) else ""), status & 0xFF


def _at_exit() -> None:
    """Now the process does end: by what it noted last."""
    try:
        import time  # noqa: PLC0415 - built in

        process = _process
        if process.pid != os.getpid():
            return
        if process.leaving is not None:
            note, process.leaving = process.leaving, None
            now = time.monotonic()
            if now - note["time"] > _TEARDOWN:
                note["exit_code"] = None
            note["time"] = note["ended"] = now
            _write(process, note)
        elif process.last is not None:
            process.last["ended"] = time.monotonic()
            _replace(process.last_name, process.last)
    except BaseException:
        pass


def _at_the_very_end() -> None:
    """Notes an exception for which the program's own hook was called, and ours was not."""
    try:
        value = _last()
        # IPython keeps an exception there that a cell has raised, and goes on.
        if value is None or hasattr(sys.modules.get("builtins"), "__IPYTHON__"):
            return
        if _current().noted != id(value):
            _note_exception(type(value), value, value.__traceback__, None)
            _at_exit()
    except BaseException:
        pass


def _register(process: _Process) -> None:
    if not process.registered:
        process.registered = True
        import atexit  # noqa: PLC0415 - built in, and only now

        atexit.register(_at_exit)


# Which process.


def _origin(thread: "Optional[str]", exit_code: "Optional[int]") -> "dict[str, Any]":
    import time  # noqa: PLC0415 - built in, so that no file of the program's can take its place

    pid = os.getpid()
    parents, started = _descent(pid)
    rank = _rank_of_process()
    return {
        **({} if rank is None else {"rank": rank}),
        "pid": pid,
        "parents": parents,
        "started": started,
        "thread": _shortened(str.__str__(thread or "MainThread"), _NAME_CHARACTERS),
        "main_thread": thread is None,
        "time": time.monotonic(),
        "exit_code": exit_code,
    }


def _rank_of_process() -> "Optional[int]":
    """Its place among those that a launcher started (torchrun, DeepSpeed, mpirun)."""
    name = "RANK" if "LOCAL_RANK" in os.environ else "OMPI_COMM_WORLD_RANK"
    rank = os.environ.get(name, "")
    return int(rank) if rank.isdecimal() and len(rank) < 10 else None


def _descent(pid: int) -> "tuple[list[int], Optional[float]]":
    """The process's ancestors, parent first, and when it was started, by the monotonic clock."""
    try:
        parent, started = _stat(pid)
    except Exception:
        # Without /proc.
        return [os.getppid()], None
    parents: list[int] = []
    try:
        while parent > 0 and len(parents) < _LEVELS:
            parents.append(parent)
            parent, _ = _stat(parent)
    except Exception:
        pass
    return parents, started


def _stat(pid: int) -> "tuple[int, float]":
    import time  # noqa: PLC0415 - built in

    descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The name in parentheses may hold anything.
        fields = os.read(descriptor, 4096).rpartition(b")")[2].split()
    finally:
        os.close(descriptor)
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    now = time.monotonic()
    return int(fields[1]), now - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


# What and where.


def _described(
    kind: "type[BaseException]",
    value: "Optional[BaseException]",
    trace: "Optional[TracebackType]",
) -> "dict[str, Any]":
    described: dict[str, Any] = {
        "type": _shortened(_name(kind), _NAME_CHARACTERS),
        "message": _shortened("" if value is None else _message(value), _CHARACTERS),
    }
    places = []
    while trace is not None:
        places.append((trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    own = _place(places)
    # Of another process's traceback there is only the text; torch and others have it in the
    # message.
    remote = _remote(value)
    text = described["message"] if remote is None else _message(remote)
    there = _place_in(text) if "Traceback (most recent call last)" in text else None
    for place in (there, _place_of_syntax(value)):
        if place is not None and (own is None or _rank(place[0]) >= _rank(own[0])):
            own = place
    _add_place(described, own)
    return described


def _place_of_syntax(value: "Optional[BaseException]") -> "Optional[_Place]":
    """Where source cannot be parsed: no traceback leads there."""
    if not isinstance(value, SyntaxError):
        return None
    file, line = value.filename, value.lineno
    if type(file) is not str or type(line) is not int:
        return None
    return file, line, None


def _remote(value: "Optional[BaseException]") -> "Optional[BaseException]":
    """What multiprocessing, concurrent.futures and joblib add to another process's exception."""
    cause = None if value is None else value.__cause__
    is_text = cause is not None and type(cause).__name__.endswith("RemoteTraceback")
    return cause if is_text else None


def _root(value: "Optional[BaseException]") -> "Optional[BaseException]":
    """The exception at the beginning of a chain of ``raise … from …`` and of groups. What was
    being handled when it was raised (``__context__``) need not have to do with it."""
    seen: list[BaseException] = []
    while value is not None and len(seen) < _LEVELS and not any(value is one for one in seen):
        seen.append(value)
        # A property of the program's own may stand behind this name.
        grouped = getattr(value, "exceptions", None)
        if value.__cause__ is not None:
            value = None if _remote(value) is not None else value.__cause__
        elif isinstance(grouped, tuple) and grouped and isinstance(grouped[0], BaseException):
            value = grouped[0]
        else:
            value = None
    return seen[-1] if len(seen) > 1 else None


def _calls(frame: "Optional[FrameType]") -> "list[tuple[CodeType, Any]]":
    """As a traceback has them: the innermost last."""
    places = []
    while frame is not None:
        places.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return places[::-1]


def _place(places: "list[tuple[CodeType, Any]]") -> "Optional[_Place]":
    """The last place in the user's own code; where there is none, the last."""
    best = None
    for code, line in places:
        if best is None or _rank(code.co_filename) >= _rank(best[0].co_filename):
            best = (code, line)
    if best is None:
        return None
    code, line = best
    # Code that was made by a program may have no lines.
    return code.co_filename, line if isinstance(line, int) else None, code.co_name


def _place_in(text: str) -> "Optional[_Place]":
    """The same of a traceback that was printed."""
    best: Optional[_Place] = None
    for line in text.splitlines():
        file, found, rest = line.strip().partition('", line ')
        number, _, function = rest.partition(", in ")
        if not found or not file.startswith('File "') or not number.isdecimal():
            continue
        file = file[len('File "') :]
        if best is None or _rank(file) >= _rank(best[0]):
            best = (file, int(number), function or None)
    return best


def _rank(file: str) -> int:
    """How likely a file is the user's own."""
    if file.startswith("<"):
        # What `python -c` runs; but generated code has such names, too.
        return 1 if file in ("<string>", "<stdin>") else 0
    if "/site-packages/" in file or "/dist-packages/" in file:
        return 0
    return 0 if file.startswith(_LIBRARIES) else 2


# The standard library, and the scripts that pip makes.
_LIBRARIES = tuple(
    os.path.join(directory, "")
    for directory in (
        os.path.dirname(getattr(os, "__file__", None) or ""),
        os.path.join(sys.prefix, "bin"),
    )
    if os.path.isabs(directory) and directory != "/usr/bin"
)


def _add_place(described: "dict[str, Any]", place: "Optional[_Place]") -> None:
    if place is not None:
        file, line, function = place
        described["file"] = _shortened(file, _NAME_CHARACTERS)
        described["line"] = line
        described["function"] = function and _shortened(function, _NAME_CHARACTERS)


def _name(kind: "type[BaseException]") -> str:
    try:
        if kind.__module__ == "builtins":
            return kind.__qualname__
        return f"{kind.__module__}.{kind.__qualname__}"
    except BaseException:
        return "BaseException"


def _message(value: object) -> str:
    try:
        # Of the exact type: a program's subclass may override methods.
        return str.__str__(str(value))
    except BaseException:
        # Python's own words for it.
        return "<exception str() failed>"


# Writing.


def _shortened(text: str, limit: int) -> str:
    """At most so many characters: the beginning and the end, where a long message has its
    cause."""
    plain = _encodable(text) if len(text) <= limit else ""
    if len(text) <= limit and len(plain) <= limit:
        return plain
    end = (limit - 1) // 2
    beginning = _at_most(text[:limit], limit - 1 - end)
    return f"{''.join(beginning)}\u2026{''.join(_at_most(text[-limit:][::-1], end)[::-1])}"


def _at_most(characters: str, limit: int) -> "list[str]":
    """So much of the beginning, cut between characters: half of a pair becomes six."""
    taken: list[str] = []
    for character in map(_encodable, characters):
        limit -= len(character)
        if limit < 0:
            break
        taken.append(character)
    return taken


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(32), 0x22, 0x5C, 0x7F)}


def _json(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join([f'"{name}":{_json(field)}' for name, field in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_json(item) for item in value]) + "]"
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if value is None:
        return "null"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)


def _write(process: _Process, note: "dict[str, Any]") -> str:
    """Writes a new file, and makes room for it where there is none."""
    import time  # noqa: PLC0415 - built in

    while len(process.names) >= _FILES_OF_A_PROCESS:
        _remove(process.names.pop(0))
    present = sorted([name for name in os.listdir(_DIRECTORY) if not name.startswith(".")])
    for oldest in present[: max(0, len(present) + 1 - _FILES)]:
        _remove(oldest)
    name = f"{time.monotonic_ns():020d}-{process.pid}.json"
    _replace(name, note)
    process.names.append(name)
    return name


def _remove(name: str) -> None:
    try:  # noqa: SIM105 - contextlib is not loaded
        os.unlink(os.path.join(_DIRECTORY, name))
    except FileNotFoundError:
        pass


def _replace(name: str, note: "dict[str, Any]") -> None:
    """Whole or not at all."""
    document = _json(note).encode()
    path = os.path.join(_DIRECTORY, name)
    temporary = os.path.join(_DIRECTORY, "." + name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, 0o600)
    try:
        try:
            os.fchmod(descriptor, 0o600)
            while document:
                document = document[os.write(descriptor, document) :]
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


# Being told.


def _name_of_thread() -> "Optional[str]":
    """None for the main thread."""
    threading = sys.modules.get("threading")
    if threading is None:
        return None if _thread.get_ident() == _MAIN_THREAD else "unknown"
    if threading.main_thread().ident == _thread.get_ident():
        return None
    return str(threading.current_thread().name)


def _watch_multiprocessing() -> None:
    """Children of multiprocessing print their exceptions themselves and call no hook."""
    module: Any
    if "multiprocessing.util" not in sys.modules:
        return
    if sys.version_info >= (3, 13):
        import traceback  # noqa: PLC0415 - in such a child only

        module, name = traceback, "print_exc"
    else:
        # What a child calls while the exception is on its way.
        module, name = sys.modules.get("multiprocessing.util"), "_exit_function"
    before = getattr(module, name, None)
    if before is None or getattr(before, "__module__", None) == __name__:
        return

    def noting(*arguments: "Any", **named: "Any") -> "Any":
        try:
            caller = sys._getframe(1)
            kind, value, trace = sys.exc_info()
            if caller.f_code.co_name == "_bootstrap" and kind is not None:
                if issubclass(kind, SystemExit):
                    _at_exit()
                else:
                    _note_exception(kind, value, trace, None)
        except BaseException:
            pass
        return before(*arguments, **named)

    setattr(module, name, noting)


def _install() -> None:
    before = sys.excepthook

    def excepthook(
        kind: "type[BaseException]",
        value: BaseException,
        trace: "Optional[TracebackType]",
    ) -> None:
        try:
            thread = _name_of_thread()
            logged = thread is None and _is_logged(value, sys._getframe().f_back)
            _note_exception(kind, value, trace, thread, logged)
        except BaseException:
            pass
        before(kind, value, trace)

    sys.excepthook = excepthook

    # Threads have a hook of their own. The module takes its default from _thread, when
    # somebody imports it.
    threading: Any = sys.modules.get("threading")
    module: Any = _thread if threading is None else threading
    name = "_excepthook" if threading is None else "excepthook"
    before_in_threads = getattr(module, name)

    def excepthook_of_threads(arguments: "Any") -> None:
        try:
            thread = arguments.thread
            _note_exception(
                arguments.exc_type,
                arguments.exc_value,
                arguments.exc_traceback,
                "unknown" if thread is None else str(thread.name),
            )
        except BaseException:
            pass
        before_in_threads(arguments)

    setattr(module, name, excepthook_of_threads)

    # Python calls no hook for SystemExit. This is a class so that Python's own function,
    # which it calls next, is what raises: no traceback has a frame of ours.
    class exit:
        __doc__ = sys.exit.__doc__

        def __new__(cls, *arguments: "Any", **_: "Any") -> "exit":
            try:  # noqa: SIM105 - contextlib is not loaded
                _note_exit(arguments, sys._getframe(1))
            except BaseException:
                pass
            return object.__new__(cls)

        __init__ = sys.exit

    exit.__module__, exit.__qualname__ = "sys", "exit"
    sys.exit = exit

    # `exit` and `quit`, which site makes after this. Two classes for the same reason.
    class calling:
        def __get__(self, instance: "Any", owner: "Any" = None) -> "Any":
            class call(exit):
                __init__ = before_in_site.__get__(instance, owner)

            return call

    quitter: Any = getattr(sys.modules.get("_sitebuiltins"), "Quitter", None)
    if quitter is not None:
        before_in_site = quitter.__call__
        quitter.__call__ = calling()

    import atexit  # noqa: PLC0415 - built in

    atexit.register(_at_the_very_end)
    os.register_at_fork(after_in_child=_watch_multiprocessing)
    if "--multiprocessing-fork" in getattr(sys, "argv", ()):
        # A child that was not forked: its module is the next that would be loaded.
        import multiprocessing.util  # noqa: F401, PLC0415 - only there

        _watch_multiprocessing()


_install()
