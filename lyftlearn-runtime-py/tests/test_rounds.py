"""New rounds of an elastic job: workers are ended and started anew, the container goes on."""

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Callable

import lyftlearn_runtime as rt
import pytest
from programs import Program, started

Start = Callable[..., AbstractContextManager[Program]]

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_RANK": "1",
    "GROUP_WORLD_SIZE": "2",
    "TORCHELASTIC_RESTART_COUNT": "5",
    "MASTER_ADDR": "algo-2",
    "MASTER_PORT": "29401",
}
HYPERPOD = {**TORCHRUN, "HYPERPOD_ELASTICAGENT_SOCKET_SERVER_PATH": "/tmp/socket"}

SAVES = """
def save():
    left = rt.shutdown.seconds_left
    say("save", rt.shutdown.reason, "none" if left is None else round(left, -1))
rt.on_shutdown(save)
say("ready")
while True:
    time.sleep(0.001)
"""

LOOKS = """
say("ready", rt.shutdown.reason, rt.shutdown.requested)
while not rt.shutdown.requested:
    time.sleep(0.001)
say("asked", rt.shutdown.reason)
while rt.shutdown.reason == "resize":
    time.sleep(0.001)
say("then", rt.shutdown.reason, round(rt.shutdown.seconds_left or 0, -1))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    exceptions = tmp_path / "exceptions"
    exceptions.mkdir()

    def start(
        code: str, environ: dict[str, str], under_run: bool = True
    ) -> AbstractContextManager[Program]:
        mark = {"LYFTLEARN_EXCEPTIONS_DIR": str(exceptions)} if under_run else {}
        return started(tmp_path, code, supervised=True, environ={**environ, **mark})

    yield start


def test_a_worker_of_torchruns_is_told_of_a_new_round(start: Start) -> None:
    with start(SAVES, TORCHRUN) as program:
        program.until("ready")
        program.term()
        assert program.end() == (143, ["save resize 30.0"])


def test_after_pid_one_has_told_it_is_a_stop(start: Start) -> None:
    with start(SAVES, TORCHRUN) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (143, ["save stop 100.0"])


def test_beside_run_it_is_a_stop(start: Start) -> None:
    with start(SAVES, TORCHRUN, under_run=False) as program:
        program.until("ready")
        program.term()
        assert program.end() == (143, ["save stop none"])


def test_a_round_becomes_a_stop_when_the_platform_asks_for_one(start: Start) -> None:
    with start(LOOKS, TORCHRUN) as program:
        assert program.until("ready")[-1] == "ready None False"
        program.term()
        assert program.until("asked")[-1] == "asked resize"
        program.ask()
        assert program.end() == (0, ["then stop 100.0"])


def test_callbacks_are_not_called_again_for_the_stop(start: Start) -> None:
    code = """
    def save():
        say("save", rt.shutdown.reason)
        while rt.shutdown.reason == "resize":
            time.sleep(0.001)
        say("saved", rt.shutdown.reason)
    rt.on_shutdown(save)
    say("ready")
    while True:
        time.sleep(0.001)
    """
    with start(code, TORCHRUN) as program:
        program.until("ready")
        program.term()
        program.until("save resize")
        program.stop()
        assert program.end() == (143, ["saved stop"])


def test_hyperpods_signal_calls_back_and_the_script_ends_well(start: Start) -> None:
    with start(SAVES, {**HYPERPOD, "LYFTLEARN_RESIZE_SECONDS": "600"}) as program:
        program.until("ready")
        program.process.send_signal(signal.SIGUSR1)
        assert program.end() == (0, ["save resize 600.0"])


def test_a_pod_of_hyperpods_that_is_deleted_is_stopped(start: Start) -> None:
    with start(SAVES, HYPERPOD) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (143, ["save stop 100.0"])


def test_a_handler_that_was_there_is_called_as_well(start: Start) -> None:
    code = """
    told = []
    signal.signal(signal.SIGUSR1, lambda *about: told.append(1))
    rt.on_shutdown(callback("save"))
    say("ready")
    while not told or not rt.shutdown.requested:
        time.sleep(0.001)
    say("told", len(told), rt.shutdown.reason)
    """
    with start(code, HYPERPOD) as program:
        program.until("ready")
        program.process.send_signal(signal.SIGUSR1)
        code_of_exit, lines = program.end()
        assert code_of_exit == 0
        assert "told 1 resize" in lines
        assert [line for line in lines if line.startswith("save")]


def test_a_forked_child_keeps_the_default_action(start: Start) -> None:
    code = """
    rt.on_shutdown(callback("save"))
    child = os.fork()
    if not child:
        say("ready")
        while True:
            time.sleep(0.001)
    say("ended by", os.waitpid(child, 0)[1])
    os._exit(7)
    """
    with start(code, HYPERPOD) as program:
        program.until("ready")
        parent = program.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGUSR1)
        assert program.end() == (7, [f"ended by {signal.SIGUSR1:d}"])


def test_a_worker_has_the_place_that_its_launcher_tells(start: Start) -> None:
    code = """
    t = rt.topology
    say(t.rank, t.world_size, t.local_rank, t.local_world_size, t.restarts)
    say(t.node_rank, t.nodes, t.master_addr, t.master_port)
    """
    with start(code, TORCHRUN) as program:
        assert program.end() == (0, ["3 4 1 2 5", "1 2 algo-2 29401"])


def test_without_a_launcher_a_process_has_no_rank() -> None:
    if "LOCAL_RANK" not in os.environ:
        topology = rt.topology
        assert topology.rank is None
        assert topology.world_size is None
        assert topology.local_rank is None
        assert topology.local_world_size is None
        assert topology.restarts is None
        assert (topology.least, topology.most) == (None, None)
