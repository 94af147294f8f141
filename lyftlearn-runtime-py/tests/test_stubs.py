"""The stubs say what the runtime is, in the runtime's own words."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lyftlearn_runtime as rt
import pytest
from lyftlearn_runtime import _native

PACKAGE = Path(str(rt.__file__)).parent


def docstrings(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every name below `node` that has a docstring, and that."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef)):
            name = f"{prefix}{child.name}"
            text = ast.get_docstring(child)
            if text is not None:
                yield name, text
            yield from docstrings(child, f"{name}.")


STUBBED = list(docstrings(ast.parse((PACKAGE / "_native.pyi").read_text())))


def test_stubtest_finds_no_difference() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "lyftlearn_runtime"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(("name", "text"), STUBBED)
def test_the_stub_says_what_help_says(name: str, text: str) -> None:
    thing: object = _native
    for word in name.split("."):
        thing = getattr(thing, word)
    assert text == inspect.getdoc(thing)


def test_everything_public_has_a_docstring() -> None:
    documented = {name for name, _ in STUBBED}
    for name in rt.__all__:
        thing = getattr(_native, name, None)
        if inspect.isclass(thing):
            members = [member for member in vars(thing) if not member.startswith("_")]
            assert {name, *(f"{name}.{member}" for member in members)} <= documented


def test_the_module_and_its_stub_describe_themselves_alike() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    assert ast.get_docstring(stub) == inspect.getdoc(rt)
