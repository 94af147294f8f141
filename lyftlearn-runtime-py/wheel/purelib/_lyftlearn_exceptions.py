"""Leaves a word of each uncaught exception, of which PID 1 makes the reason of a failure.

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
    from types import TracebackType
    from typing import Any, Optional

_DIRECTORY = os.environ.get("LYFTLEARN_EXCEPTIONS_DIR", "")
# A program that fails in circles must not fill the memory that the directory is made of.
_FILES_OF_A_PROCESS = 8
_FILES = 64
_CHARACTERS = 4096

# A process, and how many files it may still leave.
_left = [os.getpid(), _FILES_OF_A_PROCESS]


def _leave_word(
    kind: "type[BaseException]",
    value: "Optional[BaseException]",
    trace: "Optional[TracebackType]",
    thread: "Optional[str]",
) -> None:
    pid = os.getpid()
    if _left[0] != pid:
        _left[:] = [pid, _FILES_OF_A_PROCESS]
    # Somebody at a prompt sees for themselves, and goes on.
    if _left[1] <= 0 or hasattr(sys, "ps1") or issubclass(kind, SystemExit):
        return
    present = os.listdir(_DIRECTORY)
    if len([name for name in present if not name.startswith(".")]) >= _FILES:
        return
    # Built in, so that no file of the program's can take its place.
    import time  # noqa: PLC0415 - and only now

    fields = {
        "pid": str(pid),
        "thread": _text(thread or "MainThread"),
        "main_thread": "true" if thread is None else "false",
        "time": repr(time.monotonic()),
        "type": _text(_name(kind)),
        "message": _text(_message(value)),
    }
    if trace is not None:
        while trace.tb_next is not None:
            trace = trace.tb_next
        code = trace.tb_frame.f_code
        fields["file"] = _text(code.co_filename)
        # Code that was made by a program may have no lines.
        fields["line"] = str(trace.tb_lineno) if isinstance(trace.tb_lineno, int) else "null"
        fields["function"] = _text(code.co_name)
    document = ",".join([f'"{name}":{value}' for name, value in fields.items()])
    _left[1] -= 1
    _write(f"{time.monotonic_ns():020d}-{pid}.json", f"{{{document}}}".encode())


def _name(kind: "type[BaseException]") -> str:
    try:
        if kind.__module__ == "builtins":
            return kind.__qualname__
        return f"{kind.__module__}.{kind.__qualname__}"
    except BaseException:
        return "BaseException"


def _message(value: "Optional[BaseException]") -> str:
    try:
        return "" if value is None else str(value)
    except BaseException:
        # Python's own words for it.
        return "<exception str() failed>"


def _text(text: str) -> str:
    """A JSON string of at most so many characters, whatever is in the text."""
    # Of the very type: a program's own may have methods of its own.
    text = str.__str__(text)[:_CHARACTERS]
    # Cut again: half of a pair becomes six characters.
    text = text.encode("utf-8", "backslashreplace").decode()[:_CHARACTERS]
    escapes = {code: f"\\u{code:04x}" for code in (*range(32), 0x22, 0x5C, 0x7F)}
    return f'"{text.translate(escapes)}"'


def _write(name: str, document: bytes) -> None:
    """Whole or not at all."""
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


def _name_of_thread() -> "Optional[str]":
    """None for the main thread."""
    threading = sys.modules.get("threading")
    # Without that module there is one thread.
    if threading is None or threading.main_thread().ident == _thread.get_ident():
        return None
    return str(threading.current_thread().name)


def _install() -> None:
    before = sys.excepthook

    def excepthook(
        kind: "type[BaseException]",
        value: BaseException,
        trace: "Optional[TracebackType]",
    ) -> None:
        try:  # noqa: SIM105 - contextlib is not loaded
            _leave_word(kind, value, trace, _name_of_thread())
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
            _leave_word(
                arguments.exc_type,
                arguments.exc_value,
                arguments.exc_traceback,
                "unknown" if thread is None else str(thread.name),
            )
        except BaseException:
            pass
        before_in_threads(arguments)

    setattr(module, name, excepthook_of_threads)


_install()
