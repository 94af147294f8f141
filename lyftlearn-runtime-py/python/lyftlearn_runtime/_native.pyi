"""The native half of `lyftlearn_runtime`."""

import builtins
import os
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, final, overload

_Platform = Literal["sagemaker", "kubernetes", "local"]
_Flavor = Literal[
    "training",
    "processing",
    "hosting",
    "transform",
    "studio",
    "notebook-instance",
    "local-mode",
    "pod",
    "eks",
    "kserve",
    "hyperpod",
    "container",
    "host",
]
_Role = Literal["training", "processing", "serving", "transform", "job", "notebook"]
_Mode = Literal["file", "pipe", "fastfile", "mount"]
_MetricKind = Literal["counter", "gauge", "histogram"]
_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., object])

# Equal by value and mutable in no way, but without a hash: hence `__hash__: ClassVar[None]`,
# which typeshed too can only write with a type: ignore (object has one).

__version__: str
__all__ = [
    "Buckets",
    "Channel",
    "Config",
    "ConfigError",
    "ConfigSnapshot",
    "ConfigWatch",
    "ContractError",
    "Counter",
    "CredentialsError",
    "DeliveryError",
    "ExceptionCounter",
    "Gauge",
    "Group",
    "Histogram",
    "HyperparameterError",
    "Hyperparameters",
    "InProgress",
    "Job",
    "LyftlearnRuntimeError",
    "Paths",
    "Resources",
    "Secret",
    "Secrets",
    "SecretsError",
    "SecretsSnapshot",
    "SecretsWatch",
    "Series",
    "SettingsError",
    "Shutdown",
    "Timer",
    "Topology",
    "UnreadableError",
    "View",
    "__version__",
    "current",
    "metrics_check",
    "metrics_counter",
    "metrics_degraded",
    "metrics_describe",
    "metrics_gauge",
    "metrics_histogram",
    "metrics_snapshot",
    "progress",
    "resolve",
]

class LyftlearnRuntimeError(Exception):
    """Every error of this package but a missing hyperparameter or configuration, which is a
    KeyError, and a metric that cannot be, which is a ValueError. The text is a
    report: what could not be done and where, its causes, a hint. Never a value.
    """

class SettingsError(LyftlearnRuntimeError):
    """A runtime.toml or a LYFTLEARN_RUNTIME_ variable is wrong. Every mistake is in the text."""

class ContractError(LyftlearnRuntimeError):
    """A file or variable of SageMaker or Kubernetes breaks its contract."""

class CredentialsError(LyftlearnRuntimeError):
    """No AWS credentials: withheld by a setting, absent, or the source failed."""

class UnreadableError(LyftlearnRuntimeError):
    """Something exists and cannot be read."""

class HyperparameterError(LyftlearnRuntimeError):
    """A hyperparameter is not what its caller declared it to be."""

class ConfigError(LyftlearnRuntimeError):
    """A value of live configuration is not what its caller declared it to be, or no text."""

class SecretsError(LyftlearnRuntimeError):
    """A required secret is missing, or a delivered secret file is broken."""

class DeliveryError(LyftlearnRuntimeError):
    """Something cannot be delivered to the program: a limit or the file system stands
    against it.
    """

@final
class Job:
    """What this job is called, here and by its platform. What the platform does not
    tell is None.

    Sources: SageMaker Developer Guide, "How Amazon SageMaker AI Provides Training
    Information"; Kubernetes, "Object Names and IDs" and "Namespaces".
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __eq__(self, other: object, /) -> bool: ...
    @property
    def name(self) -> str | None:
        """The name its owner chose: SageMaker's job name, or the setting job.name,
        or on Kubernetes the pod's.
        """

    @property
    def id(self) -> str | None:
        """What tells this run from every other: SageMaker's ARN, or the pod's UID."""

    @property
    def arn(self) -> str | None:
        """SageMaker's ARN."""

    @property
    def namespace(self) -> str | None:
        """The pod's namespace."""

    @property
    def attempt(self) -> int | None:
        """Which attempt at the job this is, from 0."""

    @property
    def container(self) -> str | None:
        """The container's name in its pod."""

    @property
    def labels(self) -> dict[str, str]:
        """The pod's labels, where a downwardAPI volume has them (Kubernetes, "Expose Pod
        Information to Containers Through Files"); else empty.
        """

    @property
    def annotations(self) -> dict[str, str]:
        """The pod's annotations, likewise."""

@final
class Paths:
    """Directories that exist or can be made, and files that the platform reads. What
    is not to be had here is None.

    The layout below /opt/ml is SageMaker's (Developer Guide, "Amazon SageMaker AI
    Training Storage Folders"); on Kubernetes volumes take the same places.
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __eq__(self, other: object, /) -> bool: ...
    @property
    def model(self) -> Path | None:
        """The model: written by training, read by serving."""

    @property
    def input(self) -> Path | None:
        """All input; channels lie below."""

    @property
    def output(self) -> Path | None:
        """Everything the job leaves behind but the model."""

    @property
    def output_data(self) -> Path | None:
        """Output that the platform keeps."""

    @property
    def checkpoints(self) -> Path | None:
        """Checkpoints, kept across attempts where the platform does so (SageMaker
        Developer Guide, "Checkpoints in Amazon SageMaker AI").
        """

    @property
    def code(self) -> Path | None:
        """The user's code."""

    @property
    def cache(self) -> Path | None:
        """Kept between jobs where the platform does so (SageMaker's warm pools).
        Never for secrets.
        """

    @property
    def tmp(self) -> Path | None:
        """Scratch."""

    @property
    def failure(self) -> Path | None:
        """The file in which the platform looks for a failure's reason: SageMaker shows
        1,024 characters of it, Kubernetes 4,096 bytes ("Determine the Reason for
        Pod Failure").
        """

    @property
    def run(self) -> Path | None:
        """The runtime's own files, workload.json first."""

@final
class Channel:
    """One input.

    Source: SageMaker API Reference, "Channel" and "DataSource". On Kubernetes every
    directory below /opt/ml/input/data is one.
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __eq__(self, other: object, /) -> bool: ...
    @property
    def path(self) -> Path:
        """Its directory, or in pipe mode the FIFO's name without `_<epoch>`."""

    @property
    def mode(self) -> _Mode:
        """How the data arrive: "file" (downloaded before the start), "pipe" (a FIFO for
        each epoch), "fastfile" (fetched when read) or "mount" (a network volume).
        """

    @property
    def content_type(self) -> str | None:
        """MIME type, where declared."""

    @property
    def sharded(self) -> bool | None:
        """Whether each node gets another part of the data; None if it is unknown."""

@final
class Group:
    """One instance group of a heterogeneous cluster.

    Source: SageMaker API Reference, "InstanceGroup".
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __eq__(self, other: object, /) -> bool: ...
    @property
    def name(self) -> str:
        """The group's name."""

    @property
    def instance_type(self) -> str | None:
        """The instance type, where told: "ml.g5.2xlarge"."""

    @property
    def hosts(self) -> list[str]:
        """Its nodes, in the platform's order."""

    @property
    def current(self) -> bool:
        """Whether this node is one of them."""

@final
class Topology:
    """The nodes of this job, and this process's rank among those that a launcher has started. A
    single node has rank 0 of 1. Unknown values are None.

    In a worker of torchrun node_rank, nodes and where rank 0 is are those of its round.

    Sources: SageMaker's resourceconfig.json (Developer Guide, "How Amazon SageMaker
    AI Provides Training Information"); on Kubernetes the variables of torchrun,
    Kubeflow Trainer, LeaderWorkerSet, Volcano, HyperPod and indexed Jobs, and an MPI
    job's hostfile; in a process those of torchrun, Open MPI and DeepSpeed.
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __eq__(self, other: object, /) -> bool: ...
    @property
    def host(self) -> str:
        """This node's name."""

    @property
    def hosts(self) -> list[str]:
        """Every node's name in rank order; empty where the platform tells only a count."""

    @property
    def node_rank(self) -> int | None:
        """This node's place, from 0; None where a launcher ranks the nodes."""

    @property
    def nodes(self) -> int | None:
        """How many nodes there are; None where that may change while the job runs."""

    @property
    def least(self) -> int | None:
        """The least number of nodes of an elastic job; None where the number is fixed."""

    @property
    def most(self) -> int | None:
        """The largest number of nodes of an elastic job; None where the number is fixed."""

    @property
    def local_devices(self) -> int:
        """Accelerators of this node that workers may have one each of; 0 without any."""

    @property
    def master_addr(self) -> str | None:
        """Rank 0's address; None where several nodes have none named."""

    @property
    def master_port(self) -> int:
        """The TCP port on which rank 0 listens for the others."""

    @property
    def network_interface(self) -> str | None:
        """The interface on which the nodes see each other, where known."""

    @property
    def groups(self) -> list[Group]:
        """Instance groups, in the platform's order; empty without any."""

    @property
    def rank(self) -> int | None:
        """This process's place among all; None where no launcher has started it."""

    @property
    def world_size(self) -> int | None:
        """How many processes there are."""

    @property
    def local_rank(self) -> int | None:
        """This process's place among those of this node."""

    @property
    def local_world_size(self) -> int | None:
        """How many processes there are on this node, where the launcher tells."""

    @property
    def restarts(self) -> int | None:
        """How often torchrun has started the processes again after a failure."""

@final
class Resources:
    """What this container may use: its cgroup's limits, never the node's numbers.

    Sources: cgroups(7); Kubernetes, "Resource Management for Pods and Containers".
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __eq__(self, other: object, /) -> bool: ...
    @property
    def cpus(self) -> float:
        """Processors' worth of time: the smaller of quota and affinity. May be a fraction."""

    @property
    def memory_bytes(self) -> int | None:
        """The memory limit in bytes; None without one."""

    @property
    def gpus(self) -> int:
        """NVIDIA devices."""

    @property
    def neurons(self) -> int:
        """AWS Neuron devices."""

    @property
    def shm_bytes(self) -> int | None:
        """Size of /dev/shm in bytes; None where it is not mounted."""

@final
class Hyperparameters(Mapping[str, str]):
    """Hyperparameters by name, every value a text exactly as it was given: "02139" stays
    "02139". Types are what the caller declares, never guessed.

    A read-only mapping. A value may be a secret, so repr and errors show names only.

    Sources: SageMaker's hyperparameters.json (Developer Guide, "How Amazon SageMaker AI
    Provides Training Information"), and on both platforms hyperparameters.json in the
    config directory, which SageMaker's own overrides name by name.
    """

    def __getitem__(self, name: str, /) -> str: ...
    def __len__(self) -> builtins.int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> KeysView[str]:
        """The names, sorted."""
    def values(self) -> ValuesView[str]:
        """The texts, in the order of the names."""
    def items(self) -> ItemsView[str, str]:
        """Names and texts, in the order of the names."""
    @overload
    def get(self, name: str, default: None = None) -> str | None:
        """The text, or `default` if no hyperparameter has this name."""
    @overload
    def get(self, name: str, default: _T) -> str | _T: ...
    def int(self, name: str, default: builtins.int | None = None) -> builtins.int:
        """A whole number of at most 64 bits in decimal digits: "10", "-3".

        The default replaces a missing value, never an invalid one. Raises KeyError if no
        hyperparameter has this name and there is no default, HyperparameterError if the value is
        not an integer.
        """
    def float(self, name: str, default: builtins.float | None = None) -> builtins.float:
        """A decimal number: "0.1", "1e-5", "10", "inf", "NaN".

        The default replaces a missing value, never an invalid one. Raises KeyError if no
        hyperparameter has this name and there is no default, HyperparameterError if the value is
        not a number.
        """
    def bool(self, name: str, default: builtins.bool | None = None) -> builtins.bool:
        """True or false, in JSON's spelling or Python's: "true", "False".

        The default replaces a missing value, never an invalid one. Raises KeyError if no
        hyperparameter has this name and there is no default, HyperparameterError if the value is
        not a boolean ("yes" and "1" are not).
        """
    def json(self, name: str, default: Any = None) -> Any:
        """Any JSON document, as json.loads makes it.

        A default other than None replaces a missing value, never an invalid one. Raises KeyError if
        no hyperparameter has this name and there is no default, HyperparameterError if the value is
        not JSON (NaN is not).
        """
    def load(self, model: type[_T], *, strict: builtins.bool = False) -> _T:
        """All hyperparameters at once, with the types that `model` declares: a dataclass, or a
        pydantic v2 model. Names must be the fields' names. A hyperparameter without a field is
        ignored, or rejected with `strict`. A missing one has the field's default.

        In a dataclass, int, float and bool are read as by the methods of these names, and str is
        the text. Literal and Enum are written as their values, an Enum also by name. A list, tuple,
        set, dict or another dataclass is JSON, in which 3 is a number and "3" is not. In Optional,
        "null" and "None" are None, unless the other type is str. A pydantic model gets strings and
        converts them leniently ("yes" is true there), and JSON if a field has structure.

        Raises HyperparameterError with every mistake at once: which hyperparameter, what
        was expected, never the value. TypeError when `model` is neither, or has a field of
        a type that no text could give.
        """

@final
class ConfigSnapshot(Mapping[str, str]):
    """All keys and values of live configuration of one moment, every value a text: a file's
    content but for one line end at its end. Types are what the caller declares, never guessed.

    A read-only mapping that never changes. A value may be a secret, so repr and errors show
    names only.
    """

    def __getitem__(self, name: str, /) -> str: ...
    def __len__(self) -> builtins.int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> KeysView[str]:
        """The names, sorted."""
    def values(self) -> ValuesView[str]:
        """The texts, in the order of the names."""
    def items(self) -> ItemsView[str, str]:
        """Names and texts, in the order of the names."""
    @overload
    def get(self, name: str, default: None = None) -> str | None:
        """The text, or `default` if no file has this name."""
    @overload
    def get(self, name: str, default: _T) -> str | _T: ...
    def differences(self, other: ConfigSnapshot) -> set[str]:
        """The names whose values differ, including names that only one of the two has."""
    def int(self, name: str, default: builtins.int | None = None) -> builtins.int:
        """A whole number of at most 64 bits in decimal digits: "10", "-3".

        The default replaces a missing value, never an invalid one. Raises KeyError if no file has
        this name and there is no default, ConfigError if the value is not an integer.
        """
    def float(self, name: str, default: builtins.float | None = None) -> builtins.float:
        """A decimal number: "0.1", "1e-5", "10", "inf", "NaN".

        The default replaces a missing value, never an invalid one. Raises KeyError if no file has
        this name and there is no default, ConfigError if the value is not a number.
        """
    def bool(self, name: str, default: builtins.bool | None = None) -> builtins.bool:
        """True or false, in JSON's spelling or Python's: "true", "False".

        The default replaces a missing value, never an invalid one. Raises KeyError if no file has
        this name and there is no default, ConfigError if the value is not a boolean ("yes" and "1"
        are not).
        """
    def json(self, name: str, default: Any = None) -> Any:
        """Any JSON document, as json.loads makes it.

        A default other than None replaces a missing value, never an invalid one. Raises KeyError if
        no file has this name and there is no default, ConfigError if the value is not JSON (NaN is
        not).
        """

@final
class Config:
    """The live configuration, with a cache of the last read."""

    def __new__(cls) -> Config: ...
    @property
    def problems(self) -> list[str]:
        """A sentence for each thing that will not follow its source."""
    def snapshot(self) -> ConfigSnapshot:
        """What holds now.

        Raises ConfigError or UnreadableError if a file cannot be read.
        """
    def watch(self) -> ConfigWatch:
        """Tells of changes.

        Raises LyftlearnRuntimeError when the kernel has no descriptor left.
        """

@final
class ConfigWatch:
    """Tells of changes of live configuration."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when something may have changed. Closed with this."""
    def look(self) -> ConfigSnapshot:
        """What holds now; from here on the descriptor is readable when that may have changed.

        Raises ConfigError or UnreadableError if a file cannot be read.
        """

@final
class Secret(Mapping[str, str]):
    """One secret: a read-only mapping of its keys, and all of it as one text.

    Keys are those of a Confidant service, of a path or a directory, or of the JSON object in the
    text; otherwise there are no keys. repr, str and format show its name only, and it cannot be
    pickled.
    """

    @property
    def name(self) -> str:
        """The name under which it was declared."""
    @property
    def text(self) -> str:
        """All of it as its source has it; of several keys a JSON object.

        Raises SecretsError when it is no text.
        """
    @property
    def bytes(self) -> builtins.bytes:
        """The same as bytes."""
    def __getitem__(self, key: str, /) -> str: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> KeysView[str]:
        """The names of its keys, sorted."""
    def values(self) -> ValuesView[str]:
        """Their values, in the order of the keys."""
    def items(self) -> ItemsView[str, str]:
        """Keys and values, in the order of the keys."""
    @overload
    def get(self, key: str, default: None = None) -> str | None:
        """The value of a key, or `default` if no key has this name."""
    @overload
    def get(self, key: str, default: _T) -> str | _T: ...

@final
class SecretsSnapshot(Mapping[str, Secret]):
    """All secrets of one moment, by name.

    A read-only mapping that never changes. repr, str and format show names only, and it is not
    pickled.
    """

    def __getitem__(self, name: str, /) -> Secret: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> KeysView[str]:
        """The names, sorted."""
    def values(self) -> ValuesView[Secret]:
        """The secrets, in the order of the names."""
    def items(self) -> ItemsView[str, Secret]:
        """Names and secrets, in the order of the names."""
    @overload
    def get(self, name: str, default: None = None) -> Secret | None:
        """The secret, or `default` if no secret has this name."""
    @overload
    def get(self, name: str, default: _T) -> Secret | _T: ...
    def differences(self, other: SecretsSnapshot) -> set[str]:
        """The names of secrets that differ from `other`."""

@final
class Secrets:
    """Where secrets lie."""

    def __new__(cls) -> Secrets: ...
    def snapshot(self) -> SecretsSnapshot:
        """What holds now.

        Raises SecretsError or UnreadableError if a secret cannot be read; if nothing was delivered,
        SettingsError, ContractError or UnreadableError as resolve() does.
        """
    def watch(self) -> SecretsWatch:
        """Tells of changes.

        Raises SecretsError when the kernel has no descriptor left.
        """

@final
class SecretsWatch:
    """Tells of changes of secrets."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when something may have changed. Closed with this."""
    def look(self) -> SecretsSnapshot:
        """What holds now; from here on the descriptor is readable when that may have changed.

        Raises SecretsError or UnreadableError if a secret cannot be read.
        """

@final
class Shutdown:
    """What PID 1 tells this process of a stop."""

    def __new__(cls) -> Shutdown: ...
    @property
    def supervised(self) -> bool:
        """Whether a PID 1 of ours tells anything here."""
    @property
    def round(self) -> tuple[int, float | None] | None:
        """The component that begins new rounds, in a worker of an elastic job: the signal that
        announces a round, and the seconds until it, if they are known.
        """
    def requested(self) -> tuple[str, float, float | None, str] | None:
        """Signal, time of the request, deadline (both in time.monotonic's seconds) and reason
        ("stop" or "resize"), once the process was asked to end.

        Raises ContractError or UnreadableError if the file with the request is broken.
        """
    def watch(self) -> int | None:
        """A new descriptor, the caller's to close, that becomes readable when PID 1 may have
        told of a stop; None where no PID 1 of ours does.

        Raises LyftlearnRuntimeError when the kernel has none left.
        """
    def hold(self) -> int:
        """Keeps SIGTERM from ending this process, from any thread, until somebody installs a
        handler; returns a descriptor that becomes readable, for good, with the signal.

        Raises LyftlearnRuntimeError when the kernel has none left.
        """

@final
class View:
    """What this container is asked to run, in the same words on every platform."""

    @property
    def platform(self) -> _Platform:
        """The platform that started the container: "sagemaker", "kubernetes", or "local" for any
        other.
        """
    @property
    def flavor(self) -> _Flavor:
        """The variety of the platform: which kind of SageMaker job or app, which kind of
        pod, a container or a bare host.
        """
    @property
    def role(self) -> _Role:
        """What the program is for."""
    @property
    def job(self) -> Job:
        """What this job is called."""
    @property
    def paths(self) -> Paths:
        """Directories and files that the program may use."""
    @property
    def channels(self) -> Mapping[str, Channel]:
        """Input data by channel name, read-only."""
    @property
    def hyperparameters(self) -> Hyperparameters:
        """Hyperparameters as texts, with types on request.

        Raises UnreadableError or ContractError when the delivered document is gone or
        broken.
        """
    @property
    def topology(self) -> Topology:
        """The nodes of this job."""
    @property
    def resources(self) -> Resources:
        """What this container may use."""
    def to_dict(self) -> dict[str, Any]:
        """The whole workload as `lyftlearn-runtime inspect --json` shows it: JSON's types,
        hyperparameters by count and place, no values and no secrets.
        """

def current() -> View:
    """What this process sees, read once."""

def progress(fraction: float, message: str = "") -> None:
    """Says how far the program is: fraction is from 0 to 1, message is for people.

        for epoch in range(10):
            rt.progress(epoch / 10, f"epoch {epoch} of 10")

    Writes one small file, starts no thread and does not block. The runtime sends the last value, at
    most every 10 seconds, if the setting events.to names a destination. It sends the first 256
    characters of the message, without the values of secrets. A fraction outside of 0 to 1 counts as
    the nearer end. If no runtime started this program, nothing happens and nothing is raised.
    """

def resolve(
    *,
    root: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    argv: Sequence[str] | None = None,
) -> View:
    """What a program would see that was started with this environment and these files;
    for tests. Reads anew at every call, and changes nothing.

    `root` replaces /, `environ` the process's environment, and `argv` the program's argv without
    the runtime's own arguments: ["train"].

    Raises SettingsError, ContractError or UnreadableError where a start would stop
    with the same report.
    """

@final
class Counter:
    """A number that only grows: rows read, requests served.

    All processes that count under the same name and labels count in the same place.
    """

    def inc(self, amount: float = 1.0, /) -> None:
        """Adds 1, or another number that is not negative. No ending of the process loses it.

        Raises ValueError when the number is negative or not finite.
        """
    def count_exceptions(self, *exceptions: type[BaseException]) -> ExceptionCounter:
        """Counts the exceptions that leave a block or a function, of these classes; without
        any, of Exception's. They go on as they came.
        """

@final
class ExceptionCounter:
    """Counts exceptions: for a with statement, or before a function."""

    def __enter__(self) -> None: ...
    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _traceback: object, /
    ) -> None: ...
    def __call__(self, function: _F, /) -> _F: ...

@final
class Gauge:
    """A number that goes up and down: a loss, requests in progress.

    Every process has its own; which of them is shown is for `aggregate` to say.
    """

    def set(self, value: float, /) -> None:
        """Replaces this process's value."""
    def inc(self, amount: float = 1.0, /) -> None:
        """Adds 1, or another number, to this process's value."""
    def dec(self, amount: float = 1.0, /) -> None:
        """Takes 1, or another number, from this process's value."""
    def track_inprogress(self) -> InProgress:
        """Adds 1 for as long as a block or a function runs."""

@final
class InProgress:
    """Counts calls in progress: as a with statement, or as a decorator."""

    def __enter__(self) -> None: ...
    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _traceback: object, /
    ) -> None: ...
    def __call__(self, function: _F, /) -> _F: ...

@final
class Histogram:
    """How often which values came: seconds, bytes. Buckets need not be chosen: there are eight
    for each power of two.

    All processes that observe under the same name and labels do so in the same place.
    """

    def observe(self, value: float, /) -> None:
        """Counts a value. One that is not finite is counted as refused, and changes nothing."""
    def time(self) -> Timer:
        """Observes how many seconds a block or a function takes, also when an exception leaves
        it.
        """

@final
class Timer:
    """Observes seconds: for a with statement, or before a function. One that is kept may be
    entered again, within itself and by several threads.
    """

    def __enter__(self) -> None: ...
    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _traceback: object, /
    ) -> None: ...
    def _another(self) -> Timer:
        """Another one that observes the same series and has not been entered."""
    def __call__(self, function: _F, /) -> _F: ...

@final
class Buckets:
    """What a histogram has counted."""

    @property
    def count(self) -> int:
        """How many values were observed."""
    @property
    def sum(self) -> float:
        """The sum of them all."""
    @property
    def zero(self) -> int:
        """How many were 0."""
    @property
    def negative(self) -> int:
        """How many were less than 0."""
    @property
    def positive(self) -> dict[int, int]:
        """Number of values greater than 2^(i/8) and not greater than 2^((i+1)/8), by i. Empty
        buckets are omitted.
        """

@final
class Series:
    """One series, as a snapshot has it."""

    @property
    def name(self) -> str:
        """The metric's name."""
    @property
    def kind(self) -> _MetricKind:
        """What it is: "counter", "gauge" or "histogram"."""
    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
    @property
    def unit(self) -> str:
        """The metric's unit; empty if it is not declared."""
    @property
    def help(self) -> str:
        """The metric's description; empty if it is not declared."""
    @property
    def value(self) -> float | Buckets:
        """A counter's total, a gauge's value, or a histogram's buckets."""

def metrics_counter(name: str, labels: Mapping[str, str]) -> Counter:
    """The counter of a name and labels.

    Raises ValueError when they cannot be.
    """

def metrics_gauge(name: str, labels: Mapping[str, str], aggregate: str) -> Gauge:
    """The gauge of a name and labels.

    Raises ValueError when they cannot be.
    """

def metrics_histogram(name: str, labels: Mapping[str, str]) -> Histogram:
    """The histogram of a name and labels.

    Raises ValueError when they cannot be.
    """

def metrics_check(name: str, labels: Sequence[str]) -> None:
    """Nothing, when a metric may have these labels.

    Raises ValueError when they cannot be.
    """

def metrics_describe(name: str, unit: str, help: str) -> None:
    """Says what a metric is about, and what it counts in.

    Raises ValueError when that is too long.
    """

def metrics_snapshot() -> tuple[list[Series], int]:
    """Every series that there is, and how often there was no room for one."""

def metrics_degraded() -> tuple[str, bool] | None:
    """Why this process's metrics are not exported, and whether that deserves a warning; None if
    they are.
    """
