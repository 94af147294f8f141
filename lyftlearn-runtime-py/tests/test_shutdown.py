"""A stop, as programs of every kind see it."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Callable

import lyftlearn_runtime as rt
import pytest
from programs import PRELUDE, Program, started

Start = Callable[..., AbstractContextManager[Program]]

# Not signal.pause(): a signal that comes just before it would be slept through.
FOR_EVER = """
try:
    say("ready")
    while True:
        time.sleep(0.001)
finally:
    say("finally")
"""


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def start(code: str, **options: object) -> AbstractContextManager[Program]:
        return started(tmp_path, code, **options)  # type: ignore[arg-type] # passed on

    return start


both = pytest.mark.parametrize("supervised", [True, False], ids=["run", "nobody"])


def stop(program: Program, supervised: bool) -> None:
    if supervised:
        program.ask()
    program.term()


# A plain script.


@both
def test_a_plain_script_runs_its_callbacks_in_order_and_ends(
    start: Start, supervised: bool
) -> None:
    code = """
    rt.on_shutdown(callback("first"))
    @rt.on_shutdown
    def second():
        callback("second")()
    same = callback("third")
    assert rt.on_shutdown(same) is same
    rt.on_shutdown(same)
    assert second.__name__ == "second"
    atexit.register(say, "atexit")
    """
    with start(code.replace("\n    ", "\n") + FOR_EVER, supervised=supervised) as program:
        program.until("ready")
        stop(program, supervised)
        code_and_lines = program.end()
    assert code_and_lines == (
        143,
        [
            "first in MainThread",
            "second in MainThread",
            "third in MainThread",
            "third in MainThread",
            "finally",
            "atexit",
        ],
    )
    assert program.stderr == ""


def test_an_exception_in_one_is_printed_and_the_others_run(start: Start) -> None:
    code = (
        "def broken():\n    raise OSError('no space left')\n"
        "class Broken:\n"
        "    def __call__(self): raise KeyboardInterrupt('canary')\n"
        "    def __repr__(self): raise ValueError\n"
        "rt.on_shutdown(broken)\nrt.on_shutdown(Broken())\nrt.on_shutdown(callback('last'))\n"
    )
    with start(code + FOR_EVER) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (143, ["last in MainThread", "finally"])
    assert re.fullmatch(
        r"Exception ignored in on_shutdown: <function broken at 0x\w+>\n"
        r"Traceback \(most recent call last\):\n"
        r'  File ".*program\.py", line \d+, in broken\n'
        r"    raise OSError\('no space left'\)\n"
        r"(    [~^]+\n)?"
        r"OSError: no space left\n",
        program.stderr,
    ), program.stderr


def test_a_callback_may_say_what_the_process_ends_with(start: Start) -> None:
    code = (
        "rt.on_shutdown(lambda: sys.exit(3))\nrt.on_shutdown(lambda: sys.exit(4))\n"
        "rt.on_shutdown(callback('last'))\n"
    )
    with start(code + FOR_EVER) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (3, ["last in MainThread", "finally"])


def test_a_callback_may_look_at_the_time_and_the_script_is_ended_all_the_same(
    start: Start,
) -> None:
    code = (
        "def save():\n"
        "    assert rt.shutdown.requested and rt.shutdown.wait(0) and rt.shutdown.wait()\n"
        "    assert 90 < rt.shutdown.seconds_left <= 100, rt.shutdown.seconds_left\n"
        "    assert 0 < rt.shutdown.deadline - time.monotonic() <= 100\n"
        "    say('saved')\n"
        "rt.on_shutdown(save)\n"
    )
    with start(code + FOR_EVER) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (143, ["saved", "finally"])


def test_a_second_signal_neither_ends_nor_repeats_anything(start: Start) -> None:
    code = (
        "def save():\n"
        "    say('saving')\n"
        "    while not os.path.exists('again'): time.sleep(0.001)\n"
        "    say('saved')\n"
        "rt.on_shutdown(save)\n"
        "def last():\n"
        "    say('atexit')\n"
        "    while not os.path.exists('and again'): time.sleep(0.001)\n"
        "    say('end')\n"
        "atexit.register(last)\n"
    )
    with start(code + FOR_EVER) as program:
        program.until("ready")
        program.stop()
        program.until("saving")
        program.term()
        (program.run_dir.parent / "again").touch()
        assert program.until("atexit") == ["saved", "finally", "atexit"]
        program.term()
        (program.run_dir.parent / "and again").touch()
        assert program.end() == (143, ["end"])


@both
def test_a_program_that_looks_ends_itself(start: Start, supervised: bool) -> None:
    code = """
rt.on_shutdown(callback("callback"))
assert rt.shutdown.requested is False
assert rt.shutdown.deadline is None and rt.shutdown.seconds_left is None
say("ready")
while not rt.shutdown.requested:
    time.sleep(0.001)
say(rt.shutdown.deadline is not None, rt.shutdown.seconds_left is not None)
sys.exit(7)
"""
    with start(code, supervised=supervised) as program:
        program.until("ready")
        stop(program, supervised)
        returncode, lines = program.end()
    # By the signal, or at the end of the process that saw the file first.
    assert sorted(lines) == [f"{supervised} {supervised}", "callback in MainThread"]
    assert returncode == 7


def test_whoever_polls_needs_no_signal(start: Start) -> None:
    code = """
say("ready", rt.shutdown.requested)
while not rt.shutdown.requested:
    time.sleep(0.001)
assert len(os.listdir("/proc/self/task")) == 1
"""
    with start(code) as program:
        program.until("ready False")
        program.ask()
        assert program.end() == (0, [])


@both
def test_wait_returns_in_the_main_thread(start: Start, supervised: bool) -> None:
    code = """
began = time.monotonic()
assert rt.shutdown.wait(0.1) is False and rt.shutdown.wait(0) is False
assert rt.shutdown.wait(-1) is False
assert time.monotonic() - began >= 0.1
say("ready")
say(rt.shutdown.wait(), rt.shutdown.wait(1e9), rt.shutdown.requested)
assert len(os.listdir("/proc/self/task")) == 1
"""
    with start(code, supervised=supervised) as program:
        program.until("ready")
        stop(program, supervised)
        assert program.end() == (0, ["True True True"])


@both
def test_wait_returns_in_every_thread(start: Start, supervised: bool) -> None:
    code = """
assert not rt.shutdown.requested
def wait(number):
    say("waits")
    assert rt.shutdown.wait() and rt.shutdown.wait(0)
    say("woken")
threads = [threading.Thread(target=wait, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
# The main thread, too: a signal that comes as it begins to join one is noticed after that.
assert rt.shutdown.wait()
for thread in threads: thread.join()
"""
    with start(code, supervised=supervised) as program:
        for _ in range(8):
            program.until("waits")
        stop(program, supervised)
        returncode, lines = program.end()
    assert (returncode, lines.count("woken")) == (0, 8), program.stderr


def test_files_that_are_no_stop_wake_nobody(start: Start) -> None:
    code = """
rt.on_shutdown(callback("callback"))
say("ready")
for _ in range(100):
    open("run/.temporary", "w").close()
    os.rename("run/.temporary", "run/workload.json")
assert not rt.shutdown.wait(0.1)
say("waits")
rt.shutdown.wait()
"""
    with start(code) as program:
        assert program.until("waits") == ["ready", "waits"]
        program.stop()
        assert program.end() == (0, ["callback in MainThread"])


def test_waiting_wakes_up_for_nothing(start: Start) -> None:
    code = """
def waits():
    found = {}
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/status") as status:
            (count,) = [line for line in status if line.startswith("voluntary")]
        found[task] = int(count.split()[1])
    return found
rt.on_shutdown(callback("callback"))
while waits().keys() == {str(os.getpid())}: pass
rt.shutdown.wait(0.1)
before = waits()
rt.shutdown.wait(1)
after = waits()
del before[str(os.getpid())]
assert before and all(after[task] == count for task, count in before.items()), (before, after)
"""
    with start(code) as program:
        assert program.end() == (0, []), program.stderr


def test_a_signal_that_goes_elsewhere_is_made_up_for(start: Start) -> None:
    with start('rt.on_shutdown(callback("callback"))' + FOR_EVER) as program:
        program.until("ready")
        program.ask(grace=0.2)
        assert program.end() == (143, ["callback in MainThread", "finally"])


def test_a_signal_without_a_word_of_pid_1_is_a_stop_without_a_deadline(start: Start) -> None:
    code = "rt.on_shutdown(lambda: say(rt.shutdown.deadline, rt.shutdown.seconds_left))"
    with start(code + FOR_EVER) as program:
        program.until("ready")
        program.term()
        assert program.end() == (143, ["None None", "finally"])


def test_a_word_of_pid_1_that_is_broken_is_raised_and_a_stop_all_the_same(start: Start) -> None:
    code = """
to_come = ["callback"]
rt.on_shutdown(lambda: callback(to_come.pop())())
assert not rt.shutdown.requested
say("ready")
try:
    rt.shutdown.wait()
except rt.ContractError as error:
    say(str(error).split(" /")[0])
while to_come:
    time.sleep(0.001)
"""
    with start(code) as program:
        program.until("ready")
        program.write("canary")
        program.term()
        returncode, lines = program.end()
    assert (returncode, sorted(lines)) == (0, ["callback in MainThread", "cannot parse"])
    assert "Exception ignored in on_shutdown: 'what PID 1 told'" in program.stderr
    assert "canary" not in program.stderr


def test_a_main_thread_that_has_nothing_to_do_any_more_ends_as_by_the_signal(
    start: Start,
) -> None:
    code = """
rt.on_shutdown(lambda: print("printed"))
def work():
    def outermost():
        frame = sys._current_frames()[threading.main_thread().ident]
        while frame.f_back is not None: frame = frame.f_back
        return frame.f_code.co_name
    while outermost() != "_shutdown": time.sleep(0.001)
    say("ready")
    threading.Event().wait()
threading.Thread(target=work).start()
"""
    with start(code) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (-signal.SIGTERM, ["printed"])
    assert program.stderr == ""


def test_a_callback_that_comes_late_runs_at_once(start: Start) -> None:
    code = """
assert not rt.shutdown.requested
say("ready")
rt.shutdown.wait()
rt.on_shutdown(callback("late"))
say("between")
def register():
    rt.on_shutdown(callback("later"))
thread = threading.Thread(target=register, name="Other")
thread.start(); thread.join()
def nested():
    rt.on_shutdown(callback("within"))
    say("outer")
rt.on_shutdown(nested)
try:
    rt.on_shutdown(lambda: sys.exit(5))
except SystemExit as error:
    say(error.code)
"""
    with start(code) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (
            0,
            [
                "late in MainThread",
                "between",
                "later in Other",
                "within in MainThread",
                "outer",
                "5",
            ],
        )


def test_a_callback_that_registers_another_has_it_run(start: Start) -> None:
    code = "rt.on_shutdown(lambda: rt.on_shutdown(callback('within')))\n"
    with start(code + FOR_EVER) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (143, ["within in MainThread", "finally"])


def test_a_stop_before_the_start_is_not_missed(start: Start) -> None:
    code = """
say("begins")
while not os.path.exists("run/shutdown.json"): time.sleep(0.001)
rt.on_shutdown(callback("callback"))
say(rt.shutdown.requested, rt.shutdown.wait())
"""
    with start(code) as program:
        program.until("begins")
        program.ask()
        assert program.end() == (0, ["callback in MainThread", "True True"])


def test_the_stop_finds_the_program_wherever_it_is(tmp_path: Path) -> None:
    """A signal at every moment of arming, registering and waiting."""
    code = """
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
import lyftlearn_runtime._shutdown
ran = []
atexit.register(lambda: say(ran))
rt.on_shutdown(lambda: ran.append(1))
while True:
    rt.on_shutdown(lambda: None)
    if len(ran) > 1: os._exit(1)
"""
    script = tmp_path / "program.py"
    script.write_text(PRELUDE + code)
    environ = {"LYFTLEARN_RUN_DIR": str(tmp_path)}
    for moment in range(1, 40):
        seconds = str(0.015 + moment / 4000)
        run = subprocess.run(
            [sys.executable, str(script), seconds],
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        # Before the handler is there, SIGTERM ends the process as ever.
        assert (run.returncode, run.stdout) in [(143, "[1]\n"), (-signal.SIGTERM, "")], run


def test_a_signal_in_the_midst_of_a_print_waits_for_its_end(start: Start) -> None:
    code = """
import fcntl, struct, termios
from lyftlearn_runtime import _shutdown
read, write = os.pipe()
sys.stdout = open(write, "w")
def drain():
    capacity = fcntl.fcntl(write, 1032)  # F_GETPIPE_SZ
    filled = 0
    while filled < capacity:
        (filled,) = struct.unpack("i", fcntl.ioctl(read, termios.FIONREAD, b"1234"))
    say("ready")
    while not _shutdown._process.postponed: time.sleep(0.001)
    while os.read(read, 1 << 20): pass
threading.Thread(target=drain, daemon=True).start()
@rt.on_shutdown
def save():
    print("saving", flush=True)
    say("saved")
try:
    print("." * (1 << 20))
    while True: time.sleep(0.001)
finally:
    say("finally")
    sys.stdout.close()
    sys.stdout = sys.__stdout__
"""
    with start(code) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (143, ["saved", "finally"])
    assert program.stderr == ""


def test_an_end_that_python_ignores_comes_again(start: Start) -> None:
    code = """
import weakref
rt.on_shutdown(callback("callback"))
class Thing:
    pass
def gone(reference):
    say("ready to be ignored")
    while True:
        time.sleep(0.001)
thing = Thing()
reference = weakref.ref(thing, gone)
del thing
"""
    with start(code + FOR_EVER) as program:
        program.until("ready to be ignored")
        program.stop()
        returncode, lines = program.end()
    assert returncode == 143
    assert lines == ["callback in MainThread", "ready", "finally"]
    assert program.stderr == ""


# Somebody else's handler.

HANDLER = """
def handler(number, frame):
    say("handler in", threading.current_thread().name)
    sys.exit(9)
"""


@both
def test_a_handler_that_was_there_before_stays_and_works(start: Start, supervised: bool) -> None:
    code = (
        HANDLER + "signal.signal(signal.SIGTERM, handler)\nrt.on_shutdown(callback('callback'))\n"
    )
    if supervised:
        code += "assert signal.getsignal(signal.SIGTERM) is handler\n"
    with start(code + FOR_EVER, supervised=supervised) as program:
        program.until("ready")
        stop(program, supervised)
        returncode, lines = program.end()
    assert returncode == 9, program.stderr
    # By a thread, or at the end for one that had no time to wake up.
    assert sorted(lines)[1:] == ["finally", "handler in MainThread"]
    assert sorted(lines)[0] in ["callback in lyftlearn-shutdown", "callback in MainThread"]


def test_a_handler_that_comes_later_works_and_so_do_the_callbacks(start: Start) -> None:
    code = (
        HANDLER + "rt.on_shutdown(callback('callback'))\nsignal.signal(signal.SIGTERM, handler)\n"
    )
    with start(code + FOR_EVER) as program:
        program.until("ready")
        program.ask()
        assert program.until("callback") == ["callback in lyftlearn-shutdown"]
        program.term()
        assert program.end() == (9, ["handler in MainThread", "finally"])


def test_a_handler_that_calls_ours_ends_the_script(start: Start) -> None:
    code = """
rt.on_shutdown(callback("callback"))
before = signal.getsignal(signal.SIGTERM)
def handler(number, frame):
    say("handler")
    before(number, frame)
signal.signal(signal.SIGTERM, handler)
"""
    with start(code + FOR_EVER, supervised=False) as program:
        program.until("ready")
        program.term()
        assert program.end() == (143, ["handler", "callback in MainThread", "finally"])


@both
def test_a_process_that_ends_by_itself_waits_for_the_callbacks(
    start: Start, supervised: bool
) -> None:
    code = (
        """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
ends = threading.Event()
def save():
    ends.wait()
    say("saved")
rt.on_shutdown(save)
# Called before ours, which waits.
atexit.register(ends.set)
"""
        + FOR_EVER
    )
    with start(code, supervised=supervised) as program:
        program.until("ready")
        stop(program, supervised)
        assert program.end() == (9, ["finally", "saved"])


def test_sigterm_that_is_ignored_stays_ignored(start: Start) -> None:
    code = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
rt.on_shutdown(lambda: (callback("callback")(), done.set()))
done = threading.Event()
say("ready")
done.wait()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
"""
    with start(code) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (0, ["callback in lyftlearn-shutdown"])


# Threads and other processes.


def test_registering_in_a_thread_works_where_the_main_thread_has_looked(start: Start) -> None:
    code = """
assert not rt.shutdown.requested
thread = threading.Thread(target=lambda: rt.on_shutdown(callback("callback")))
thread.start(); thread.join()
say("ready")
rt.shutdown.wait()
"""
    with start(code) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (0, ["callback in MainThread"])


@both
def test_registering_in_a_thread_is_enough(start: Start, supervised: bool) -> None:
    code = """
import warnings
warnings.simplefilter("error")
def save():
    callback("callback")()
    sys.exit(3)
thread = threading.Thread(target=rt.on_shutdown, args=[save])
thread.start(); thread.join()
"""
    with start(code + FOR_EVER, supervised=supervised) as program:
        program.until("ready")
        stop(program, supervised)
        assert program.end() == (3, ["callback in lyftlearn-shutdown"]), program.stderr


@both
def test_waiting_in_a_thread_keeps_the_signal_from_ending_the_program(
    start: Start, supervised: bool
) -> None:
    code = """
def watch():
    say("ready")
    assert rt.shutdown.wait()
    say("waited")
    stopped.set()
stopped = threading.Event()
thread = threading.Thread(target=watch)
thread.start()
stopped.wait()
say("ends")
"""
    with start(code, supervised=supervised) as program:
        program.until("ready")
        program.until_held()
        stop(program, supervised)
        assert program.end() == (0, ["waited", "ends"]), program.stderr


def test_a_handler_that_comes_after_a_thread_that_waits_is_the_only_one(start: Start) -> None:
    code = """
thread = threading.Thread(target=rt.shutdown.wait)
thread.start()
while rt._shutdown._process.held is None: time.sleep(0.001)
signal.signal(signal.SIGTERM, lambda *_: say("handler"))
say("ready")
thread.join()
"""
    with start(code, supervised=False) as program:
        program.until("ready")
        program.term()
        program.until("handler")
        program.close()


def test_a_child_of_a_process_whose_thread_waits_dies_of_the_signal(start: Start) -> None:
    code = """
thread = threading.Thread(target=rt.shutdown.wait, daemon=True)
thread.start()
while rt._shutdown._process.held is None: time.sleep(0.001)
import warnings
warnings.simplefilter("ignore")
child = os.fork()
if not child:
    while True: time.sleep(0.001)
os.kill(child, signal.SIGTERM)
say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), rt._shutdown._process.noted())
os._exit(0)
"""
    with start(code) as program:
        assert program.end() == (0, ["-15 False"]), program.stderr


# A call into native code that gives the interpreter up, as fit() does, until a lock is free;
# signals do not interrupt it.
IN_NATIVE_CODE = """
import ctypes
libc = ctypes.CDLL(None)
lock = ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(lock)
say("ready", hex(ctypes.addressof(lock)))
libc.pthread_mutex_lock(lock)
back.append(True)
while True:
    time.sleep(0.001)
"""


def test_a_main_thread_in_native_code_does_not_keep_a_callback_waiting(start: Start) -> None:
    code = """
def save():
    callback("callback")()
    libc.pthread_mutex_unlock(lock)
    # The main thread is there again, and goes on.
    while not back: time.sleep(0.001)
    sys.exit(4)
back = []
rt.on_shutdown(save)
"""
    with start(code + IN_NATIVE_CODE) as program:
        program.until_in_the_kernel(program.until("ready")[-1].split()[1])
        program.ask(grace=3.0)
        program.term()
        code_and_lines = program.end()
    # Once, and the main thread ends with what a callback said after it.
    assert code_and_lines == (4, ["callback in lyftlearn-shutdown"]), program.stderr


FORKED = """
import multiprocessing
def work(queue):
    assert signal.getsignal(signal.SIGTERM) is EXPECTED, signal.getsignal(signal.SIGTERM)
    assert threading.active_count() <= 2  # multiprocessing's own feeder
    queue.put("ready")
    while True:
        time.sleep(0.001)
EXPECTED = signal.SIG_DFL
def begin():
    context = multiprocessing.get_context(METHOD)
    queue = context.Queue()
    child = context.Process(target=work, args=(queue,))
    child.start()
    assert queue.get() == "ready"
    child.terminate()
    child.join()
    say("child", child.exitcode)
if __name__ == "__main__":
    import warnings
    # From 3.12 on Python warns of every fork beside a thread.
    warnings.simplefilter("ignore", DeprecationWarning)
    rt.on_shutdown(callback("callback"))
    begin()
    assert not rt.shutdown.requested
    say("ready")
    rt.shutdown.wait()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_child_dies_of_sigterm_as_ever_and_calls_nobody(start: Start, method: str) -> None:
    with start(f"METHOD = {method!r}\n" + FORKED) as program:
        assert program.until("ready") == ["child -15", "ready"], program.stderr
        program.stop()
        assert program.end() == (0, ["callback in MainThread"])
    assert program.stderr == ""


def test_a_child_gets_its_parents_handler_back(start: Start) -> None:
    code = """
def handler(number, frame):
    say("handler")
    os._exit(9)
signal.signal(signal.SIGTERM, handler)
rt.on_shutdown(callback("callback"))
assert signal.getsignal(signal.SIGTERM) is not handler
child = os.fork()
if child == 0:
    assert signal.getsignal(signal.SIGTERM) is handler
    os.kill(os.getpid(), signal.SIGTERM)
_, status = os.waitpid(child, 0)
assert os.WEXITSTATUS(status) == 9, status
say("ready")
while True:
    time.sleep(0.001)
"""
    with start(code, supervised=False, environ={"PYTHONWARNINGS": "ignore"}) as program:
        assert program.until("ready") == ["handler", "ready"], program.stderr
        program.term()
        assert program.end()[0] == 9


def test_a_child_has_a_stop_of_its_own(start: Start) -> None:
    code = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
rt.on_shutdown(callback("parent"))
rt.shutdown.wait(0)
child = os.fork()
if child == 0:
    rt.on_shutdown(callback("child"))
    say("child is ready")
    rt.shutdown.wait()
    os._exit(4)
say("ready")
rt.shutdown.wait()
_, status = os.waitpid(child, 0)
assert os.WEXITSTATUS(status) == 4, status
"""
    with start(code) as program:
        program.until("child is ready")
        program.ask()
        # Without a signal both find the file themselves, and at the end there is time for the
        # parent's callback. The child exits without atexit.
        assert program.end() == (0, ["parent in MainThread"]), program.stderr


def test_nothing_happens_until_the_first_use(start: Start) -> None:
    code = """
rt.shutdown, rt.on_shutdown, repr(rt.shutdown)
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
descriptors = os.listdir("/proc/self/fd")
rt.shutdown.requested
assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
assert os.listdir("/proc/self/fd") == descriptors
assert len(os.listdir("/proc/self/task")) == 1
"""
    with start(code) as program:
        assert program.end() == (0, []), program.stderr


@pytest.mark.parametrize("wrong", [None, 7, "print"])
def test_what_cannot_be_called_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"on_shutdown takes a function, not \w+"):
        rt.on_shutdown(wrong)  # type: ignore[type-var] # what the stub forbids


def test_a_coroutine_function_is_refused() -> None:
    async def save() -> None: ...

    with pytest.raises(TypeError, match=r"await rt\.shutdown\.wait_async\(\) instead"):
        rt.on_shutdown(save)


# asyncio.


@pytest.mark.parametrize("handler", ["before", "after", "none"])
def test_asyncio_waits_beside_its_own_handler(start: Start, handler: str) -> None:
    code = f"""
import asyncio
async def main():
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    if {handler!r} == "before": loop.add_signal_handler(signal.SIGTERM, asked.set)
    rt.on_shutdown(callback("callback"))
    if {handler!r} == "after": loop.add_signal_handler(signal.SIGTERM, asked.set)
    assert await rt.shutdown.wait_async(0.01) is False
    say("ready")
    waited = await asyncio.gather(*[rt.shutdown.wait_async() for _ in range(3)])
    assert waited == [True] * 3 and await rt.shutdown.wait_async()
    if {handler!r} != "none": await asked.wait()
    say("waited")
asyncio.run(main())
say("end")
"""
    with start(code) as program:
        program.until("ready")
        program.ask()
        if handler != "none":
            program.until("callback in lyftlearn-shutdown")
        program.term()
        returncode, lines = program.end()
    assert returncode == 0, program.stderr
    # A process that saw the file first may be at its end before the signal comes.
    assert {"waited", "end"} <= set(lines)
    assert program.stderr == ""


@both
def test_asyncio_waits_by_our_handler(start: Start, supervised: bool) -> None:
    code = """
import asyncio
async def main():
    rt.on_shutdown(callback("callback"))
    task = asyncio.create_task(rt.shutdown.wait_async())
    await asyncio.sleep(0)
    say("ready")
    say(await task)
asyncio.run(main())
"""
    with start(code, supervised=supervised) as program:
        program.until("ready")
        if supervised:
            program.term()
        stop(program, supervised)
        assert program.end() == (0, ["callback in MainThread", "True"]), program.stderr


def test_asyncio_ends_without_waiting_to_the_end(start: Start) -> None:
    code = """
import asyncio
async def main():
    descriptors = len(os.listdir("/proc/self/fd"))
    abandoned = asyncio.create_task(rt.shutdown.wait_async())
    cancelled = asyncio.create_task(rt.shutdown.wait_async())
    await asyncio.sleep(0)
    cancelled.cancel()
    try:
        await cancelled
    except asyncio.CancelledError:
        say("cancelled")
    assert len(os.listdir("/proc/self/task")) == 1
for _ in range(3):
    asyncio.run(main())
    say(len(os.listdir("/proc/self/fd")))
"""
    with start(code) as program:
        returncode, lines = program.end()
    assert returncode == 0, program.stderr
    assert lines[1::2] == lines[1:2] * 3, lines


def test_asyncio_without_anybody_who_waits_ends_as_a_plain_script(start: Start) -> None:
    code = """
import asyncio
rt.on_shutdown(callback("callback"))
async def main():
    try:
        say("ready")
        await asyncio.Event().wait()
    finally:
        say("finally")
asyncio.run(main())
"""
    with start(code) as program:
        program.until("ready")
        program.stop()
        assert program.end() == (143, ["callback in MainThread", "finally"])
    assert program.stderr == ""


# Where the kernel has no inotify instance left.

WITHOUT_INOTIFY = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"',
    "sh",
]


@pytest.fixture
def without_inotify() -> Iterator[list[str]]:
    possible = subprocess.run([*WITHOUT_INOTIFY, "true"], capture_output=True, check=False)
    if shutil.which("unshare") is None or possible.returncode != 0:
        pytest.skip("cannot enter a user namespace")
    yield WITHOUT_INOTIFY


def test_without_inotify_the_file_is_looked_for(tmp_path: Path, without_inotify: list[str]) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        """
import asyncio, lyftlearn_runtime as rt
from lyftlearn_runtime import _native
try:
    _native.Shutdown().watch()
except rt.LyftlearnRuntimeError as error:
    print(str(error).splitlines()[0])
assert asyncio.run(rt.shutdown.wait_async(0.3)) is False
assert rt.shutdown.wait(0.3) is False
print("ready", flush=True)
async def main():
    asyncio.get_running_loop().add_signal_handler(15, print, "handler")
    rt.on_shutdown(lambda: print("callback"))
    return await rt.shutdown.wait_async()
print(asyncio.run(main()), rt.shutdown.wait())
"""
    )
    command = [*without_inotify, sys.executable, "-W", "error", str(script)]
    with started(tmp_path, command=command) as program:
        assert program.until("ready") == ["cannot watch the run directory", "ready"]
        program.ask()
        returncode, lines = program.end()
    assert (returncode, sorted(lines)) == (0, ["True True", "callback"]), program.stderr
