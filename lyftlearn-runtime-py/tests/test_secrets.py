"""Secrets: a mapping of what was delivered, callbacks after a swap, and no value shown."""

import json
from pathlib import Path
from typing import Optional

import lyftlearn_runtime as rt
import pytest
from programs import started

DELIVERED = """
import copy, itertools, json, pickle, shutil
SECRETS = os.path.join(os.environ["LYFTLEARN_RUN_DIR"], "secrets")
numbers = itertools.count()
def deliver(**secrets):
    os.makedirs(SECRETS, exist_ok=True)
    name = f"..1234.{next(numbers):09}"
    os.mkdir(f"{SECRETS}/{name}")
    with open(f"{SECRETS}/{name}/.all.json", "w") as file:
        json.dump(secrets, file)
    old = os.readlink(f"{SECRETS}/..data") if os.path.islink(f"{SECRETS}/..data") else None
    os.symlink(name, f"{SECRETS}/..data_tmp")
    os.rename(f"{SECRETS}/..data_tmp", f"{SECRETS}/..data")
    if old: shutil.rmtree(f"{SECRETS}/{old}")
calls = []
called = threading.Semaphore(0)
def callback(secrets, changed):
    calls.append((secrets["token"].text, sorted(changed)))
    called.release()
PAIR = {"key": "password", "value": "canary-1"}
"""


def run(
    directory: Path, code: str, environ: Optional[dict[str, str]] = None, supervised: bool = True
) -> tuple[list[str], str]:
    """Runs a program of its own, which asserts; its lines and its stderr."""
    prelude = DELIVERED if supervised else ""
    with started(
        directory, prelude + code, supervised=supervised, environ=environ or {}
    ) as program:
        returncode, lines = program.end()
        assert returncode == 0, program.stderr
        return lines, program.stderr


def test_it_is_a_mapping_of_mappings_that_shows_names_only(tmp_path: Path) -> None:
    code = """
from collections.abc import Mapping
document = json.dumps({"user": "ranker", "password": "canary-2", "port": 5432})
deliver(db={"text": document}, ranking={"text": "{}", "pairs": [PAIR]}, token={"text": "canary-3"},
    binary={"text": [255, 0]})
assert isinstance(rt.secrets, Mapping) and isinstance(rt.secrets["db"], Mapping)
assert list(rt.secrets) == ["binary", "db", "ranking", "token"] and len(rt.secrets) == 4
assert rt.secrets["db"]["password"] == "canary-2" and rt.secrets["db"]["port"] == "5432"
assert rt.secrets["db"].text == document and rt.secrets["db"].name == "db"
assert dict(rt.secrets["ranking"]) == {"password": "canary-1"}
assert rt.secrets["token"].text == "canary-3" and len(rt.secrets["token"]) == 0
assert rt.secrets["binary"].bytes == b"\\xff\\0"
assert rt.secrets.get("none") is None and rt.secrets["db"].get("none", 7) == 7
assert "db" in rt.secrets and 7 not in rt.secrets and "user" in rt.secrets["db"]
for shown in (rt.secrets, rt.secrets.snapshot(), *rt.secrets.values(), rt.secrets.items(),
              rt.secrets["db"].values(), rt.secrets.snapshot().items()):
    for text in (repr(shown), str(shown), format(shown), "%s" % (shown,), repr([shown])):
        assert "canary" not in text and "ranker" not in text, text
assert repr(rt.secrets["db"]) == "Secret(db)"
for whole in (rt.secrets["db"], rt.secrets.snapshot()):
    for refuse in (pickle.dumps, copy.deepcopy):
        try: refuse(whole)
        except TypeError as error: say(error)
for wrong in (lambda: rt.secrets["tokn"], lambda: rt.secrets["db"]["none"]):
    try: wrong()
    except KeyError as error: say(error.args[0])
try: rt.secrets["binary"].text
except rt.SecretsError as error: say(str(error).splitlines()[0])
assert len(os.listdir("/proc/self/task")) == 1
"""
    lines, stderr = run(tmp_path, code)
    assert (lines, stderr) == (
        [
            "a secret is not pickled",
            "a secret is not pickled",
            "secrets are not pickled",
            "secrets are not pickled",
            "cannot find the secret tokn; did you mean token?",
            "cannot find the key none of the secret db",
            "cannot read the secret binary as a string: it is not UTF-8",
        ],
        "",
    )


def test_a_callback_is_called_after_a_swap(tmp_path: Path) -> None:
    code = """
deliver(token={"text": "one"}, db={"text": "x"})
assert rt.secrets.on_change(callback) is callback
before = rt.secrets.snapshot()
deliver(token={"text": "one"}, db={"text": "x"})
deliver(token={"text": "two"}, db={"text": "x"})
called.acquire()
deliver(token={"text": "two"}, db={"text": "y"})
called.acquire()
assert calls == [("two", ["token"]), ("two", ["db"])], calls
assert before["token"].text == "one"
assert before.differences(rt.secrets.snapshot()) == {"db", "token"}
assert len(os.listdir("/proc/self/task")) == 2
"""
    assert run(tmp_path, code) == ([], "")


def test_a_broken_set_is_said_and_no_value_of_it_is(tmp_path: Path) -> None:
    code = """
deliver(token={"text": "canary"}, broken="canary")
try: rt.secrets["token"]
except rt.SecretsError as error: say(str(error).replace(os.environ["LYFTLEARN_RUN_DIR"], ""))
"""
    lines, _ = run(tmp_path, code)
    assert lines == [
        "cannot parse /secrets/..data/.all.json",
        "  hint: start the program with lyftlearn-runtime run",
    ]


def test_without_a_shim_what_lies_here_is_read(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "user").write_text("ranker\r\n")
    (tmp_path / "file").write_text("canary\n")
    declared = {
        "db": {"from": f"file:{tmp_path}/volume"},
        "token": {"from": "env:TOKEN"},
        "file": {"from": f"file:{tmp_path}/file"},
        "far": {"from": "aws-ssm:/far"},
        "elsewhere": {"from": {"sagemaker": "env:TOKEN"}, "required": False},
    }
    environ = {"LYFTLEARN_RUNTIME_SECRETS": json.dumps(declared), "TOKEN": "canary"}
    code = """
assert list(rt.secrets) == ["db", "file", "token"]
assert rt.secrets["file"].text == "canary"
assert rt.secrets["db"]["user"] == "ranker" and rt.secrets["token"].text == "canary"
for name in ("far", "elsewhere"):
    try: rt.secrets[name]
    except rt.SecretsError as error: say(str(error).splitlines()[1].strip())
"""
    lines, stderr = run(tmp_path, code, environ, supervised=False)
    assert lines == [
        "far: not available here: secrets are fetched when lyftlearn-runtime starts the program",
        "elsewhere: it has no source for local",
    ]
    assert stderr == ""


@pytest.mark.parametrize("wrong", [None, 7, "print"])
def test_what_cannot_be_called_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"on_change takes a function, not \w+"):
        rt.secrets.on_change(wrong)  # type: ignore[type-var] # what the stub forbids
