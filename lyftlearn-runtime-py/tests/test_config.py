"""Live configuration: a mapping of what holds now, and callbacks after a change."""

from collections.abc import Mapping
from pathlib import Path

import lyftlearn_runtime as rt
import pytest
from programs import started

KUBELET = """
import json, itertools, shutil
LIVE = os.path.join(os.environ["HOME"], "live")
numbers = itertools.count()
def swap(**keys):
    os.makedirs(LIVE, exist_ok=True)
    name = f"..2026_01_31.{next(numbers)}"
    os.mkdir(f"{LIVE}/{name}")
    for key, value in keys.items():
        with open(f"{LIVE}/{name}/{key}", "w") as file:
            file.write(value)
    old = os.readlink(f"{LIVE}/..data") if os.path.islink(f"{LIVE}/..data") else None
    os.symlink(name, f"{LIVE}/..data_tmp")
    os.rename(f"{LIVE}/..data_tmp", f"{LIVE}/..data")
    if old: shutil.rmtree(f"{LIVE}/{old}")
calls = []
called = threading.Semaphore(0)
def callback(config, changed):
    calls.append((dict(config), sorted(changed)))
    called.release()
def threads():
    return len(os.listdir("/proc/self/task"))
"""


def run(directory: Path, code: str, expected: int = 0) -> tuple[list[str], str]:
    """Runs a program of its own, which asserts; its lines and its stderr."""
    environ = {"LYFTLEARN_RUNTIME_LIVE_DIRS": f'["{directory}/live"]'}
    with started(directory, KUBELET + code, environ=environ) as program:
        returncode, lines = program.end()
        assert returncode == expected, program.stderr
        return lines, program.stderr


def test_it_is_a_mapping_of_what_holds_now(tmp_path: Path) -> None:
    code = """
from collections.abc import Mapping
assert isinstance(rt.config, Mapping) and isinstance(rt.config.snapshot(), Mapping)
assert len(rt.config) == 0 and rt.config.problems == []
swap(threshold="0.5\\n", depth="3", on="true", layers="[1]")
assert rt.config["threshold"] == "0.5" and "depth" in rt.config and 7 not in rt.config
assert rt.config.float("threshold") == 0.5 and rt.config.int("depth") == 3
assert rt.config.bool("on") is True and rt.config.json("layers") == [1]
assert rt.config.int("none", 4) == 4 and rt.config.get("none") is None
assert list(rt.config) == sorted(dict(rt.config.items())) == ["depth", "layers", "on", "threshold"]
before = rt.config.snapshot()
swap(threshold="0.6")
assert rt.config == {"threshold": "0.6"}
assert before["threshold"] == "0.5" and before.differences(rt.config.snapshot()) == set(before)
assert "0.5" not in repr(before) + repr(rt.config) + repr(rt.config.items())
assert threads() == 1
"""
    assert run(tmp_path, code) == ([], "")


def test_what_is_wrong_is_named_and_its_value_is_not(tmp_path: Path) -> None:
    code = """
swap(note="canary")
for wrong in (rt.config, rt.config.snapshot()):
    try: wrong.int("note", 3)
    except rt.ConfigError as error: say(error)
    try: wrong["nott"]
    except KeyError as error: say(error.args[0])
"""
    lines, _ = run(tmp_path, code)
    assert lines == 2 * [
        "cannot read note of the live configuration: expected a whole number",
        "cannot find nott in the live configuration; did you mean note?",
    ]


def test_a_callback_is_called_once_for_each_change(tmp_path: Path) -> None:
    code = """
swap(a="1", b="1")
assert rt.config.on_change(callback) is callback
assert threads() == 2
swap(a="1", b="1")
swap(a="2", b="1")
called.acquire()
swap(a="2", b="1")
swap(c="1", b="1")
called.acquire()
@rt.config.on_change
def second(config, changed): raise ValueError("second")
assert threads() == 2
swap(b="1")
called.acquire()
assert calls == [
    ({"a": "2", "b": "1"}, ["a"]),
    ({"b": "1", "c": "1"}, ["a", "c"]),
    ({"b": "1"}, ["c"]),
], calls
while not finished(): time.sleep(0.001)
"""
    code = "def finished(): return second_called\nsecond_called = []\n" + code.replace(
        "changed): raise", "changed): second_called.append(1); raise"
    )
    _, stderr = run(tmp_path, code)
    assert stderr == "" or stderr.startswith("Exception ignored in on_change: <function second")


def test_a_set_that_cannot_be_read_is_said_and_the_next_is_told(tmp_path: Path) -> None:
    code = """
swap(a="1")
rt.config.on_change(callback)
swap(a="canary" * 200000)
say("broken")
sys.stdin.read()
"""
    code = code.replace("sys.stdin.read()", "while not os.path.exists('go'): time.sleep(0.001)")
    code += "swap(a='2')\ncalled.acquire()\nassert calls == [({'a': '2'}, ['a'])], calls\n"
    environ = {"LYFTLEARN_RUNTIME_LIVE_DIRS": f'["{tmp_path}/live"]'}
    with started(tmp_path, KUBELET + code, environ=environ) as program:
        program.until("broken")
        program.until_error("expected at most 1 MiB")
        (tmp_path / "go").touch()
        returncode, _ = program.end()
    assert returncode == 0, program.stderr
    assert "canary" not in program.stderr


def test_a_forked_child_starts_clean(tmp_path: Path) -> None:
    code = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
swap(a="1")
rt.config.on_change(callback)
child = os.fork()
if child == 0:
    assert threads() == 1
    swap(a="2")
    assert rt.config["a"] == "2" and calls == []
    rt.config.on_change(callback)
    swap(a="3")
    called.acquire()
    os._exit(0 if calls == [({"a": "3"}, ["a"])] else 1)
_, status = os.waitpid(child, 0)
assert status == 0, status
while not calls or calls[-1] != ({"a": "3"}, ["a"]): called.acquire()
"""
    run(tmp_path, code)


@pytest.mark.parametrize("wrong", [None, 7, "print"])
def test_what_cannot_be_called_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"on_change takes a function, not \w+"):
        rt.config.on_change(wrong)  # type: ignore[type-var] # what the stub forbids


def test_a_coroutine_function_is_refused() -> None:
    async def reload(config: Mapping[str, str], changed: "frozenset[str]") -> None: ...

    with pytest.raises(TypeError, match="not a coroutine function"):
        rt.config.on_change(reload)


def test_swaps_from_another_process_are_never_torn(tmp_path: Path) -> None:
    code = """
child = os.fork()
if child == 0:
    for generation in range(300):
        swap(**{f"key{number}": str(generation) for number in range(50)})
    os._exit(0)
reads = 0
while os.waitpid(child, os.WNOHANG)[0] == 0:
    values = list(rt.config.snapshot().values())
    assert len(values) in (0, 50) and len(set(values)) <= 1, values
    reads += 1
assert rt.config["key7"] == "299" and reads > 100, reads
"""
    run(tmp_path, code)
