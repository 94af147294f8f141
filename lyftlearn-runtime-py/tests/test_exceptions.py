"""The word that is left of an uncaught exception, and that nothing else changes."""

import ast
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import _lyftlearn_exceptions
import pytest

SITE = Path(sysconfig.get_path("purelib"))
PTH = SITE / "lyftlearn_runtime.pth"
MODULE = SITE / "_lyftlearn_exceptions.py"


class Run:
    """A program that was run beside a directory for its words."""

    def __init__(self, result: "subprocess.CompletedProcess[bytes]", directory: Path) -> None:
        self.result = result
        self.outcome = (result.returncode, result.stdout, result.stderr)
        self.files = sorted(directory.iterdir()) if directory.is_dir() else []

    @property
    def words(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_bytes().decode()) for path in self.files]


def run(
    directory: Path,
    code: str,
    hook: bool = True,
    command: Sequence[str] = (sys.executable,),
    environ: Mapping[str, str] = {},
) -> Run:
    words = directory / "exceptions"
    if not words.exists():
        words.mkdir(mode=0o700)
    script = directory / "train.py"
    script.write_text(code)
    told = {"LYFTLEARN_EXCEPTIONS_DIR": str(words)} if hook else {}
    result = subprocess.run(
        [*command, str(script)],
        env={"PATH": "/usr/bin:/bin", **told, **environ},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Run(result, words)


@pytest.mark.parametrize(
    ("environ", "rank"),
    [
        ({"RANK": "3", "LOCAL_RANK": "1"}, 3),
        ({"OMPI_COMM_WORLD_RANK": "2"}, 2),
        # A pod's, and none at all.
        ({"RANK": "3"}, None),
        ({"RANK": "first", "LOCAL_RANK": "1"}, None),
    ],
)
def test_a_launchers_worker_notes_its_rank(
    tmp_path: Path, environ: dict[str, str], rank: Optional[int]
) -> None:
    (word,) = run(tmp_path, "raise ValueError", environ=environ).words
    assert word.get("rank") == rank


def test_the_word_says_what_where_and_when(tmp_path: Path) -> None:
    code = "def main():\n    raise ValueError('no such column: clicks')\n\nmain()\n"
    ended = run(tmp_path, code)
    (path,) = ended.files
    assert re.fullmatch(r"\d{20}-\d+\.json", path.name), path.name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (word,) = ended.words
    assert path.name.endswith(f"-{word.pop('pid')}.json")
    assert int(path.name[:20]) / 1e9 == pytest.approx(word["time"], abs=1)
    # In this order, and it was started by this process.
    assert word.pop("started") <= word.pop("time") <= word.pop("ended")
    assert word.pop("parents")[0] == os.getpid()
    assert word == {
        "exit_code": 1,
        "thread": "MainThread",
        "main_thread": True,
        "type": "ValueError",
        "message": "no such column: clicks",
        "file": str(tmp_path / "train.py"),
        "line": 2,
        "function": "main",
    }


SUBCLASS = "class Custom(Exception):\n    pass\n"
THREAD = "import threading\ndef work():\n    {}\nthread = threading.Thread(target=work)\n"
THREAD += "thread.start()\nthread.join()\n"

MULTIPROCESSING = """
import multiprocessing, sys
def work():
    {1}
if __name__ == "__main__":
    child = multiprocessing.get_context("{0}").Process(target=work)
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""

# A program, and the type of what it leaves a word of; none where there is nothing to say.
PROGRAMS: Mapping[str, tuple[str, list[str]]] = {
    "nothing": ("print('done')", []),
    "an exception": ("1 / 0", ["ZeroDivisionError"]),
    "one with a cause": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('a') from e",
        ["KeyError"],
    ),
    "one within another": (
        "try:\n    1 / 0\nfinally:\n    raise OSError(2, 'no')",
        ["FileNotFoundError"],
    ),
    "a class of one's own": (SUBCLASS + "raise Custom(1, 2)", ["__main__.Custom"]),
    "a library's class": ("import json\njson.loads('{')", ["json.decoder.JSONDecodeError"]),
    "without a message": ("raise ValueError", ["ValueError"]),
    "a syntax error": ("def main(:\n", ["SyntaxError"]),
    "an indentation error": ("if True:\npass\n", ["IndentationError"]),
    "an interrupt": ("raise KeyboardInterrupt", ["KeyboardInterrupt"]),
    "an end": ("raise SystemExit", []),
    "an end with a code": ("import sys\nsys.exit(3)", []),
    "an end with a text": ("import sys\nsys.exit('cannot go on')", ["SystemExit"]),
    "an end with a text that is caught": (
        "import sys\ntry: sys.exit('no')\nexcept SystemExit: print('goes on')",
        ["SystemExit"],
    ),
    "an end with a text whose traceback is shown": (
        "import sys, traceback\ntry: sys.exit('no')\n"
        "except SystemExit: traceback.print_exc()\nsys.exit(3)",
        [],
    ),
    "an end with too much": ("import sys\nsys.exit(1, 2)", ["TypeError"]),
    "an end by a name": ("import sys\nsys.exit(status=1)", ["TypeError"]),
    "an end with an object": ("import sys\nsys.exit(ValueError('a'))", ["SystemExit"]),
    "an end within": (
        "import sys\nclass A:\n    leave = sys.exit\nA().leave('now')",
        ["SystemExit"],
    ),
    "an end of a text that fails": (
        "import sys\nclass A:\n    def __str__(self): 1 / 0\nsys.exit(A())",
        ["SystemExit"],
    ),
    "a child of multiprocessing": (MULTIPROCESSING.format("fork", "1 / 0"), ["ZeroDivisionError"]),
    "a spawned child": (MULTIPROCESSING.format("spawn", "1 / 0"), ["ZeroDivisionError"]),
    "a forkserver's child": (MULTIPROCESSING.format("forkserver", "1 / 0"), ["ZeroDivisionError"]),
    "a child that ends with a text": (
        MULTIPROCESSING.format("fork", "sys.exit('no table')"),
        ["SystemExit"],
    ),
    "a spawned child that ends with a text": (
        MULTIPROCESSING.format("spawn", "sys.exit('no table')"),
        ["SystemExit"],
    ),
    "a child that ends with a code": (MULTIPROCESSING.format("fork", "sys.exit(3)"), []),
    "a child that ends well": (MULTIPROCESSING.format("spawn", "print('done')"), []),
    "a wrong argument": (
        "import argparse\np = argparse.ArgumentParser(prog='train')\n"
        "p.add_argument('--lr', type=float)\np.parse_args(['--lr', 'fast'])",
        ["SystemExit"],
    ),
    "an end by site's function": ("exit('no table')", ["SystemExit"]),
    "an end by site's other function": ("quit(3)", []),
    "an end by site's function whose traceback is shown": (
        "import traceback\ntry: exit('no')\n"
        "except SystemExit: traceback.print_exc()\nprint(exit)\nexit(3)",
        [],
    ),
    "an end by site's function with too much": ("exit(1, 2)", ["TypeError"]),
    "a question for help": (
        "import argparse\nargparse.ArgumentParser(prog='train').parse_args(['-h'])",
        [],
    ),
    "a hard end": ("import os\nos._exit(4)", []),
    "an assertion": ("assert False, 'never'", ["AssertionError"]),
    "no memory": ("raise MemoryError", ["MemoryError"]),
    "too much memory": ("'a' * (1 << 62)", ["MemoryError"]),
    "a deep recursion": (
        "def main():\n    main()\nmain()",
        ["RecursionError"],
    ),
    "a missing module": ("import absent_altogether", ["ModuleNotFoundError"]),
    "a broken text": (
        "class Broken(Exception):\n    def __str__(self): raise SystemExit(9)\nraise Broken",
        ["__main__.Broken"],
    ),
    "no text at all": (
        "class Broken(Exception):\n    def __str__(self): return 7\nraise Broken",
        ["__main__.Broken"],
    ),
    "a text of another kind": (
        "class Text(str):\n"
        "    def __getitem__(self, key): raise OSError\n"
        "    def encode(self, *_): raise OSError\n"
        "class Broken(Exception):\n    def __str__(self): return Text('canary')\n"
        "raise Broken",
        ["__main__.Broken"],
    ),
    "a module of another kind": (
        SUBCLASS + "Custom.__module__ = 7\nraise Custom",
        ["7.Custom"],
    ),
    "a class that hides its name": (
        "class Meta(type):\n"
        "    @property\n    def __module__(cls): raise SystemExit\n"
        "class Broken(Exception, metaclass=Meta): pass\nraise Broken",
        ["BaseException"],
    ),
    "a name of no character set": (
        "raise ValueError('\\udcff\\ud83d \\U0001f525')",
        ["ValueError"],
    ),
    "no traceback": (
        "import sys\nsys.excepthook(ValueError, ValueError('by hand'), None)",
        ["ValueError"],
    ),
    "in a thread": (THREAD.format("raise ValueError('in a thread')"), ["ValueError"]),
    "an end in a thread": (THREAD.format("raise SystemExit(3)"), []),
    "a hook of one's own": (
        "import sys\nsys.excepthook = lambda *_: print('own')\n1 / 0",
        ["ZeroDivisionError"],
    ),
    "a hook of one's own that calls ours": (
        "import sys\nbefore = sys.excepthook\n"
        "def hook(*a):\n    print('own')\n    before(*a)\nsys.excepthook = hook\n1 / 0",
        ["ZeroDivisionError"],
    ),
    "a hook of one's own that exits": (
        "import sys\nsys.excepthook = lambda *_: sys.exit(3)\n1 / 0",
        ["ZeroDivisionError"],
    ),
    "a hook of one's own in a child": (
        "import os, sys\nsys.excepthook = lambda *_: None\n"
        "child = os.fork()\nif child: os.waitpid(child, 0)\nelse: 1 / 0",
        ["ZeroDivisionError"],
    ),
    "a hook of one's own and a text": (
        "import sys\nsys.excepthook = lambda *_: None\nsys.exit('no table')",
        ["SystemExit"],
    ),
    "Python's hook again": (
        "import sys\nsys.excepthook = sys.__excepthook__\n1 / 0",
        ["ZeroDivisionError"],
    ),
    "a hook that fails": (
        "import sys\nsys.excepthook = lambda *_: 1 / 0\n[].pop()",
        ["IndexError"],
    ),
    "no hook": ("import sys\ndel sys.excepthook\n1 / 0", ["ZeroDivisionError"]),
    "an exception that IPython shows": (
        "import builtins, sys\nbuiltins.__IPYTHON__ = True\nsys.last_value = ValueError()",
        [],
    ),
    "a hook for threads": (
        "import threading\nthreading.excepthook = lambda a: print('own', a.exc_type)\n"
        + THREAD.format("1 / 0"),
        [],
    ),
    "Python's hook for threads again": (
        "import threading\nthreading.excepthook = threading.__excepthook__\n"
        + THREAD.format("1 / 0"),
        ["ZeroDivisionError"],
    ),
    "an error that nobody can raise": (
        "class A:\n    def __del__(self): 1 / 0\nA()",
        [],
    ),
    "at the end": ("import atexit\natexit.register(lambda: 1 / 0)", []),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_traceback_and_exit_code_are_as_without_a_hook(tmp_path: Path, case: str) -> None:
    code, types = PROGRAMS[case]
    if case == "Python's hook for threads again" and sys.version_info < (3, 10):
        pytest.skip("threading.__excepthook__ is there from 3.10 on")
    without = run(tmp_path, code, hook=False)
    ended = run(tmp_path, code)

    def plain(text: bytes) -> bytes:
        return re.sub(rb"0x[0-9a-f]+|Thread-\d+", b"", text)

    assert ended.outcome[:2] == without.outcome[:2]
    assert plain(ended.outcome[2]) == plain(without.outcome[2])
    assert [word["type"] for word in ended.words] == types
    assert without.files == []


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise KeyError('lr')", "'lr'"),
        ("raise ValueError('a\"b\\\\c\\n\\t\\0\\x7f')", 'a"b\\c\n\t\0\x7f'),
        ("raise ValueError('caf\\xe9 \\U0001f525')", "café 🔥"),
        ("raise ValueError('half a pair: \\ud83d')", "half a pair: \\ud83d"),
        ("raise ValueError('a' * 10**6)", "a" * 2048 + "…" + "a" * 2047),
        ("raise ValueError('\\udcff' * 10**6)", "\\udcff" * 341 + "…" + "\\udcff" * 341),
        ("raise ValueError('\\udcff' * 1000)", "\\udcff" * 341 + "…" + "\\udcff" * 341),
        ("raise ValueError('\\U0001f525' * 10**4)", "🔥" * 2048 + "…" + "🔥" * 2047),
        (
            "raise ValueError('b' * 10**6 + ': the cause')",
            "b" * 2048 + "…" + "b" * 2036 + ": the cause",
        ),
        (PROGRAMS["a broken text"][0], "<exception str() failed>"),
        (PROGRAMS["no text at all"][0], "<exception str() failed>"),
        ("def main(:\n", "invalid syntax (train.py, line 1)"),
    ],
)
def test_the_message_is_text_and_not_too_long(tmp_path: Path, code: str, message: str) -> None:
    (word,) = run(tmp_path, code).words
    assert word["message"] == message


def test_a_word_without_a_traceback_has_no_place(tmp_path: Path) -> None:
    (word,) = run(tmp_path, PROGRAMS["no traceback"][0]).words
    assert not {"file", "line", "function"} & set(word)


def test_a_syntax_error_is_where_the_source_cannot_be_parsed(tmp_path: Path) -> None:
    (word,) = run(tmp_path, "# a program\ndef main(:\n").words
    script = str(tmp_path / "train.py")
    assert (word["file"], word["line"], word["function"]) == (script, 2, None)
    # In a module of one's own, and in source that a program makes.
    (tmp_path / "broken.py").write_text("\n\ndef main(:\n")
    word = run(tmp_path, "import broken").words[-1]
    assert (word["file"], word["line"]) == (str(tmp_path / "broken.py"), 3)
    word = run(tmp_path, "\nexec('1 +')").words[-1]
    assert (word["file"], word["line"]) == (script, 2)
    word = run(tmp_path, "raise SyntaxError('no')").words[-1]
    assert (word["file"], word["line"]) == (script, 1)


def test_an_exception_is_noted_behind_a_hook_of_ones_own(tmp_path: Path) -> None:
    # As rich and typer have one.
    code = "import sys\nsys.excepthook = lambda *_: None\ndef main(): 1 / 0\nmain()\n"
    (word,) = run(tmp_path, code).words
    assert (word["file"], word["line"]) == (str(tmp_path / "train.py"), 3)
    assert (word["exit_code"], word["main_thread"]) == (1, True)
    assert "ended" in word and "logged" not in word


def test_a_thread_is_named(tmp_path: Path) -> None:
    code = (
        "import threading\nthread = threading.Thread(target=int, args=['a'], name='loader \"1\"')\n"
        "thread.start()\nthread.join()\nprint('goes on')\n"
    )
    ended = run(tmp_path, code)
    assert ended.outcome[:2] == (0, b"goes on\n")
    (word,) = ended.words
    assert (word["thread"], word["main_thread"]) == ('loader "1"', False)
    assert word["message"] == "invalid literal for int() with base 10: 'a'"


def test_main_and_threads_leave_words_in_their_order(tmp_path: Path) -> None:
    ended = run(tmp_path, THREAD.format("raise ValueError") + "raise KeyError\n")
    assert [(word["type"], word["main_thread"]) for word in ended.words] == [
        ("ValueError", False),
        ("KeyError", True),
    ]


def test_a_hook_that_another_thread_calls_says_so(tmp_path: Path) -> None:
    code = (
        "import sys, threading\n"
        "def work():\n    sys.excepthook(ValueError, ValueError('by hand'), None)\n"
        "thread = threading.Thread(target=work, name='other')\nthread.start()\nthread.join()\n"
    )
    (word,) = run(tmp_path, code).words
    assert (word["thread"], word["main_thread"]) == ("other", False)


def test_threading_that_was_there_first_has_its_hook_too(tmp_path: Path) -> None:
    # Another .pth file or sitecustomize may have imported it before ours.
    code = (
        "import threading, sys\nbefore = threading.excepthook\n"
        "sys.modules.pop('_lyftlearn_exceptions', None)\n"
        "import os\nos.environ['LYFTLEARN_EXCEPTIONS_DIR'] = 'exceptions'\n"
        "import _lyftlearn_exceptions\nassert threading.excepthook is not before\n"
        + THREAD.format("raise ValueError")
    )
    ended = run(tmp_path, code, hook=False)
    assert [word["type"] for word in ended.words] == ["ValueError"]


@pytest.mark.parametrize("options", [("-I",), ("-E",), ("-B",), ("-O",), ("-X", "dev"), ("-u",)])
def test_pythons_own_options_change_nothing(tmp_path: Path, options: tuple[str, ...]) -> None:
    ended = run(tmp_path, "1 / 0", command=[sys.executable, *options])
    assert ended.result.returncode == 1
    assert [word["type"] for word in ended.words] == ["ZeroDivisionError"]


def test_without_site_there_is_no_hook(tmp_path: Path) -> None:
    assert run(tmp_path, "1 / 0", command=[sys.executable, "-S"]).words == []


@pytest.mark.parametrize("arguments", [["-c", "import broken"], ["-m", "broken"]])
def test_an_exception_at_an_early_import_is_one(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "broken.py").write_text("raise OSError('no such device')\n")
    ended = run(tmp_path, "", command=[sys.executable, *arguments])
    (word,) = ended.words
    assert (word["type"], word["message"]) == ("OSError", "no such device")
    assert word["file"] == str(tmp_path / "broken.py")


def test_the_words_come_from_processes_of_processes(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\n"
        "if len(sys.argv) < 3:\n"
        "    subprocess.run([sys.executable, *sys.argv, 'again'])\n"
        "child = os.fork()\n"
        "if child: os.waitpid(child, 0)\n"
        "raise ValueError(sys.argv[1:] + (['forked'] if not child else []))\n"
    )
    words = run(tmp_path, code, environ={"PYTHONWARNINGS": "ignore"}).words
    assert len({word["pid"] for word in words}) == len(words) == 6
    messages = [word["message"] for word in words]
    assert messages[0] == "['again', 'again', 'forked']"
    assert messages[-1] == "[]"


@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_streams_are_no_obstacle(tmp_path: Path, closed: str) -> None:
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable]
    ended = run(tmp_path, "1 / 0", command=command)
    assert ended.result.returncode == 1
    assert [word["type"] for word in ended.words] == ["ZeroDivisionError"]


@pytest.mark.parametrize("place", ["missing", "file", "device", "relative"])
def test_where_nothing_can_be_written_nothing_is_said(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    where = {"device": "/dev/full", "relative": "absent/too"}.get(place, str(tmp_path / place))
    without = run(tmp_path, "1 / 0", hook=False)
    ended = run(tmp_path, "1 / 0", environ={"LYFTLEARN_EXCEPTIONS_DIR": where})
    assert ended.outcome == without.outcome
    assert not (tmp_path / "missing").exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n1 / 0\n"
    ended = run(tmp_path, limit)
    assert ended.outcome == run(tmp_path, limit, hook=False).outcome
    assert ended.files == []


def test_no_descriptor_left_is_no_obstacle_to_the_traceback(tmp_path: Path) -> None:
    limit = (
        "import os, resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "raise ValueError('full')\n"
    )
    ended = run(tmp_path, limit)
    assert ended.result.returncode == 1
    assert b"ValueError: full" in ended.result.stderr
    assert ended.files == []


@pytest.mark.parametrize("name", ["json", "time", "threading", "os", "re"])
def test_a_programs_own_module_of_that_name_is_not_run(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("print('canary')\n")
    # Python's own traceback may take it.
    without = run(tmp_path, "1 / 0", hook=False)
    ended = run(tmp_path, "1 / 0")
    assert ended.outcome == without.outcome
    assert [word["type"] for word in ended.words] == ["ZeroDivisionError"]


def failing_threads(count: int) -> str:
    return f"import threading\nfor _ in range({count}):\n" + (
        "    thread = threading.Thread(target=int, args=['a'])\n    thread.start()\n"
        "    thread.join()\n"
    )


@pytest.mark.parametrize(
    ("code", "message", "line", "exit_code"),
    [
        ("def main():\n    sys.exit('no table')\nmain()", "no table", 4, 1),
        ("sys.exit(['no', 'table'])", "['no', 'table']", 3, 1),
        ("sys.exit(('no table',))", "no table", 3, 1),
        ("sys.exit(SystemExit('no table'))", "no table", 3, 1),
        (
            "p = argparse.ArgumentParser(prog='train')\n"
            "p.add_argument('--lr', type=float)\np.parse_args(['--lr', 'fast'])",
            "train: error: argument --lr: invalid float value: 'fast'",
            5,
            2,
        ),
        ("argparse.ArgumentParser(prog='train').error('no')", "train: error: no", 3, 2),
        ("argparse.ArgumentParser(prog='train').exit(4, 'no')", "no", 3, 4),
    ],
)
def test_a_text_to_end_with_is_a_word(
    tmp_path: Path, code: str, message: str, line: int, exit_code: int
) -> None:
    ended = run(tmp_path, f"import argparse\nimport sys\n{code}\n")
    assert ended.result.returncode == exit_code
    (word,) = ended.words
    assert (word["type"], word["message"]) == ("SystemExit", message)
    assert (word["file"], word["line"]) == (str(tmp_path / "train.py"), line)
    assert word["exit_code"] == exit_code
    assert word["main_thread"]


@pytest.mark.parametrize(
    "code",
    [
        "sys.exit(3)",
        "sys.exit()",
        "sys.exit(True)",
        "sys.exit('')",
        "os._exit(3)",
        # The thread alone ends by it.
        "threading.Thread(target=sys.exit, args=['no']).start()",
        # Another exit follows.
        "try: sys.exit('no')\nexcept SystemExit: os._exit(1)",
        "try: sys.exit('no')\nexcept SystemExit: sys.exit(1)",
        "try: sys.exit('no')\nexcept SystemExit: exit(1)",
    ],
)
def test_a_code_to_end_with_is_none(tmp_path: Path, code: str) -> None:
    assert run(tmp_path, f"import os, sys, threading\n{code}\n").words == []


def test_a_text_that_was_caught_long_ago_has_no_exit_code(tmp_path: Path) -> None:
    code = (
        "import sys, _lyftlearn_exceptions\n_lyftlearn_exceptions._TEARDOWN = 0\n"
        "try: sys.exit('no')\nexcept SystemExit: pass\nraise SystemExit(1)\n"
    )
    (word,) = run(tmp_path, code).words
    assert (word["message"], word["exit_code"]) == ("no", None)


@pytest.mark.parametrize(
    ("code", "logged"),
    [
        ("try: 1 / 0\nexcept Exception: sys.excepthook(*sys.exc_info())", True),
        (
            "def main():\n try: 1 / 0\n except Exception: sys.excepthook(*sys.exc_info())\nmain()",
            True,
        ),
        ("1 / 0", False),
        ("before = sys.excepthook\nsys.excepthook = lambda *a: before(*a)\n1 / 0", False),
        ("try: 1 / 0\nfinally: print('done')", False),
    ],
)
def test_an_exception_that_the_program_only_logs_is_marked(
    tmp_path: Path, code: str, logged: bool
) -> None:
    (word,) = run(tmp_path, f"import sys\n{code}\n").words
    assert word["type"] == "ZeroDivisionError"
    assert word.get("logged", False) is logged


def test_an_exception_after_a_text_that_was_caught_is_the_word(tmp_path: Path) -> None:
    code = "import sys\ntry: sys.exit('no')\nexcept SystemExit: raise ValueError from None\n"
    assert [word["type"] for word in run(tmp_path, code).words] == ["ValueError"]


# Where it was: the last line of the program that is named, by a comment in it.
LIBRARY = "import json\ndef load(): json.loads('{')  # here\nload()"
POOL = """
import sys
import {module} as pools
def load(_): raise ValueError('in a worker')  # here
if __name__ == '__main__':
    with pools.{pool} as pool: list(pool.map(load, [1]))
"""
PLACES: Mapping[str, str] = {
    "a library's exception": LIBRARY,
    "one of a generated file": "exec(compile('1 / 0', '<made>', 'exec'))  # here",
    "another process, by concurrent.futures": POOL.format(
        module="concurrent.futures", pool="ProcessPoolExecutor(1)"
    ),
    "another process, by multiprocessing": POOL.format(module="multiprocessing", pool="Pool(1)"),
    "another process, by a message": """
import traceback
try:
    raise ValueError('in a worker')  # here
except ValueError:
    told = 'Caught ValueError in worker 0.\\nOriginal ' + traceback.format_exc()
raise RuntimeError(told)
""",
    "another thread": POOL.format(module="concurrent.futures", pool="ThreadPoolExecutor(1)"),
    "a worker that died": POOL.format(module="concurrent.futures", pool="ProcessPoolExecutor(1)")
    .replace("raise ValueError('in a worker')  # here", "__import__('os')._exit(1)")
    .rstrip()
    + "  # here",
}


@pytest.mark.parametrize("case", PLACES)
def test_the_place_is_the_last_of_the_programs_own(tmp_path: Path, case: str) -> None:
    code = PLACES[case]
    word = run(tmp_path, code).words[-1]
    (line,) = [number for number, text in enumerate(code.split("\n"), 1) if "# here" in text]
    assert (word["file"], word["line"]) == (str(tmp_path / "train.py"), line)


def test_what_an_exception_was_raised_from_is_told_with_it(tmp_path: Path) -> None:
    code = """
def load():
    raise KeyError("label")
def step():
    try: load()
    except KeyError as error: raise OSError("no step") from error
try: step()
except OSError as error: raise RuntimeError("no training") from error
"""
    (word,) = run(tmp_path, code).words
    assert (word["type"], word["message"], word["line"]) == ("RuntimeError", "no training", 8)
    assert word["cause"] == {
        "type": "KeyError",
        "message": "'label'",
        "file": str(tmp_path / "train.py"),
        "line": 3,
        "function": "load",
    }


@pytest.mark.parametrize(
    "code",
    [
        # The exception that was being handled may be unrelated: the whole program may run there.
        "try: import absent\nexcept ImportError: raise ValueError",
        "try: 1 / 0\nexcept ZeroDivisionError: raise ValueError from None",
        "raise ValueError",
        "error = ValueError()\nerror.__cause__ = error\nraise error",
    ],
)
def test_an_exception_without_a_cause_has_none(tmp_path: Path, code: str) -> None:
    (word,) = run(tmp_path, code).words
    assert "cause" not in word


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups are there from 3.11 on")
def test_of_a_group_the_first_is_the_cause(tmp_path: Path) -> None:
    code = "raise ExceptionGroup('2', [ExceptionGroup('1', [KeyError('a')]), OSError()])"
    (word,) = run(tmp_path, code).words
    assert (word["type"], word["cause"]["type"]) == ("ExceptionGroup", "KeyError")


def test_a_process_leaves_eight_words_at_most(tmp_path: Path) -> None:
    fork = "import os\nchild = os.fork()\nif child: os.waitpid(child, 0)\n"
    ended = run(tmp_path, failing_threads(20) + fork + failing_threads(20))
    pids = [word["pid"] for word in ended.words]
    # A forked process has a count of its own.
    assert sorted(pids.count(pid) for pid in set(pids)) == [8, 8]


@pytest.mark.parametrize("present", [62, 64, 200])
def test_a_directory_takes_64_words_at_most_and_keeps_the_newest(
    tmp_path: Path, present: int
) -> None:
    words = tmp_path / "exceptions"
    words.mkdir()
    for number in range(present):
        (words / f"{number:020d}-1.json").write_text("{}")
    for number in range(100):
        (words / f".{number}").touch()
    ended = run(tmp_path, failing_threads(3) + "raise ValueError('last')\n")
    found = [path for path in ended.files if not path.name.startswith(".")]
    assert len(found) == 64
    assert json.loads(found[-1].read_bytes())["message"] == "last"
    assert [path.name[20:] for path in found].count("-1.json") == 60


def test_somebody_at_a_prompt_leaves_none(tmp_path: Path) -> None:
    words = tmp_path / "exceptions"
    words.mkdir()
    subprocess.run(
        [sys.executable, "-i", "-q"],
        input=b"1 / 0\n",
        env={"PATH": "/usr/bin:/bin", "LYFTLEARN_EXCEPTIONS_DIR": str(words)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert list(words.iterdir()) == []


@pytest.mark.parametrize("hook", [True, False])
def test_the_start_loads_one_small_module_at_most(tmp_path: Path, hook: bool) -> None:
    code = "import sys\nprint(*sorted(sys.modules))"
    loaded = run(tmp_path, code, hook=hook).result.stdout.split()
    without = run(tmp_path, code, hook, [sys.executable, "-S"]).result.stdout.split()
    assert (b"_lyftlearn_exceptions" in loaded) is hook
    assert b"lyftlearn_runtime" not in loaded
    if hook:
        for name in (b"json", b"threading", b"traceback", b"re", b"types"):
            assert (name in loaded) <= (name in without or name == b"types"), name


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment within ours, with nothing in it; its site-packages."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    (site,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    return site


def in_environment(tmp_path: Path, *options: str) -> Run:
    return run(tmp_path, "1 / 0", command=[str(tmp_path / "venv/bin/python"), *options])


@pytest.mark.parametrize("option", ["-I", "-E", "-s"])
def test_a_virtual_environment_has_the_hook_if_it_has_the_wheel(
    tmp_path: Path, environment: Path, option: str
) -> None:
    assert in_environment(tmp_path, option).words == []
    shutil.copy(PTH, environment)
    shutil.copy(MODULE, environment)
    (word,) = in_environment(tmp_path, option).words
    assert word["type"] == "ZeroDivisionError"


@pytest.mark.parametrize("module", [None, "raise SystemExit(3)", "def :\n", "import absent"])
def test_whatever_is_wrong_with_the_module_a_start_says_nothing(
    tmp_path: Path, environment: Path, module: Optional[str]
) -> None:
    without = in_environment(tmp_path).outcome
    shutil.copy(PTH, environment)
    if module is not None:
        (environment / "_lyftlearn_exceptions.py").write_text(module)
    assert in_environment(tmp_path).outcome == without


def test_python_3_9_understands_it() -> None:
    source = Path(str(_lyftlearn_exceptions.__file__)).read_text()
    ast.parse(source, feature_version=(3, 9))
    assert len(PTH.read_text().splitlines()) == 1
