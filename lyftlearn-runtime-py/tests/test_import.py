"""What importing costs, what it does not do, and how the module behaves."""

import os
import subprocess
import sys
from collections.abc import Mapping

import lyftlearn_runtime as rt
import pytest

VIEW = [
    "channels",
    "flavor",
    "hyperparameters",
    "job",
    "paths",
    "platform",
    "resources",
    "role",
    "topology",
]


def python(program: str, environ: Mapping[str, str] = {}) -> None:
    """Runs a program of its own, which asserts."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""


def test_importing_takes_no_module_of_weight() -> None:
    python(
        "import sys\n"
        "before = set(sys.modules)\n"
        "import lyftlearn_runtime\n"
        "heavy = {'asyncio', 'collections', 'concurrent', 'ctypes', 'importlib.metadata',\n"
        "         'inspect', 'json', 'logging', 'multiprocessing', 'pathlib', 're', 'socket',\n"
        "         'ssl', 'subprocess', 'threading', 'typing', 'urllib'}\n"
        "found = heavy & (set(sys.modules) - before)\n"
        "assert not found, found\n"
    )


def test_neither_importing_nor_using_it_starts_a_thread() -> None:
    python(
        "import os\n"
        "import lyftlearn_runtime as rt\n"
        "assert len(os.listdir('/proc/self/task')) == 1\n"
        "rt.hyperparameters, rt.resources.cpus\n"
        "assert len(os.listdir('/proc/self/task')) == 1\n"
    )


def test_importing_reads_nothing_and_the_first_use_reports() -> None:
    python(
        "import lyftlearn_runtime as rt\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        rt.platform\n"
        "    except rt.SettingsError as error:\n"
        "        assert '$LYFTLEARN_RUNTIME_PLATFORM: expected' in str(error), error\n"
        "        assert 'canary' not in str(error)\n"
        "    else:\n"
        "        raise AssertionError('no error')\n",
        {"LYFTLEARN_RUNTIME_PLATFORM": "canary"},
    )


def test_the_view_is_read_once_and_kept() -> None:
    python(
        "import os\n"
        "import lyftlearn_runtime as rt\n"
        "assert 'role' not in vars(rt)\n"
        "assert rt.role == 'serving'\n"
        "assert 'role' in vars(rt)\n"
        "os.environ['LYFTLEARN_RUNTIME_ROLE'] = 'broken'\n"
        "assert rt.role == 'serving'\n"
        "assert rt.job is rt.job\n"
        "assert rt.paths.tmp is not None\n",
        {"LYFTLEARN_RUNTIME_ROLE": "serving"},
    )


@pytest.mark.parametrize("first_use", ["rt.topology.nodes, rt.hyperparameters\n", ""])
def test_a_forked_process_has_the_same_view(first_use: str) -> None:
    python(
        "import os\n"
        "import lyftlearn_runtime as rt\n"
        f"{first_use}"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(42 if rt.topology.nodes == 1 and rt.role == 'serving'\n"
        "             and not rt.hyperparameters.get('nowhere') else 1)\n"
        "_, status = os.waitpid(child, 0)\n"
        "assert os.WEXITSTATUS(status) == 42, status\n"
        "assert rt.role == 'serving'\n",
        {"LYFTLEARN_RUNTIME_ROLE": "serving", "LYFTLEARN_RUNTIME_PLATFORM": "local"},
    )


def test_many_threads_share_one_view() -> None:
    python(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from lyftlearn_runtime import _native\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    views = list(pool.map(lambda _: _native.current(), range(64)))\n"
        "assert len({id(view) for view in views}) == 1\n"
    )


def test_all_is_the_view_the_classes_and_the_errors() -> None:
    assert set(VIEW) < set(rt.__all__)
    assert rt.__all__ == sorted(rt.__all__)
    assert set(rt.__all__) <= set(dir(rt))
    public = {name for name in dir(rt) if not name.startswith("_")}
    assert public | {"__version__"} == set(rt.__all__)


def test_everything_in_all_is_there() -> None:
    python("from lyftlearn_runtime import *\nassert platform and resolve and __version__\n")


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(
        AttributeError, match="module 'lyftlearn_runtime' has no attribute 'platfrom'"
    ):
        _ = rt.platfrom  # type: ignore[attr-defined] # what is tested


@pytest.mark.parametrize("name", rt.__all__)
def test_public_things_call_themselves_public(name: str) -> None:
    thing = getattr(rt, name)
    if isinstance(thing, type):
        assert thing.__module__ == "lyftlearn_runtime"
        assert thing.__qualname__ == name


@pytest.mark.parametrize(
    "name",
    [
        "SettingsError",
        "ContractError",
        "UnreadableError",
        "HyperparameterError",
        "ConfigError",
        "CredentialsError",
        "DeliveryError",
        "SecretsError",
    ],
)
def test_every_error_is_one_of_the_packages(name: str) -> None:
    assert getattr(rt, name).__bases__ == (rt.LyftlearnRuntimeError,)
    assert rt.LyftlearnRuntimeError.__bases__ == (Exception,)
