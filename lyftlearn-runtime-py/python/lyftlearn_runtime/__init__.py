"""One view of an ML workload, whichever platform started its container.

    import lyftlearn_runtime as rt

    rt.platform, rt.role, rt.job.name
    rt.paths.model, rt.channels["train"].path
    rt.hyperparameters["lr"]; rt.hyperparameters.float("lr")
    rt.topology.node_rank, rt.resources.cpus
    rt.config["ranker.threshold"]; rt.config.on_change(callback)
    rt.credentials()             # for code that signs; boto3 needs nothing at all
    rt.metrics.counter("rows", {"split": "train"}).inc(512)
    with rt.metrics.timer("epoch"): ...
    rt.secrets["db"]["password"]; rt.secrets.on_change(callback)
    rt.progress(0.4, "epoch 4 of 10")
    rt.on_shutdown(save_checkpoint)
    while not rt.shutdown.requested: ...

The view is read at the first use, not at import. It is the same whether
``lyftlearn-runtime run`` started the process, ``exec`` did, or nothing did.
"""

# collections.abc is this module under another name, behind a package that takes 2 ms to
# import; this one every Python has loaded before it runs anything.
from _collections_abc import Mapping as _Mapping

from lyftlearn_runtime import _native
from lyftlearn_runtime._native import (
    Buckets,
    Channel,
    ConfigError,
    ConfigSnapshot,
    ContractError,
    Counter,
    CredentialsError,
    DeliveryError,
    Gauge,
    Group,
    Histogram,
    HyperparameterError,
    Hyperparameters,
    Job,
    LyftlearnRuntimeError,
    Paths,
    Resources,
    Secret,
    SecretsError,
    SecretsSnapshot,
    Series,
    SettingsError,
    Timer,
    Topology,
    UnreadableError,
    View,
    __version__,
    progress,
    resolve,
)

_Mapping.register(Hyperparameters)
_Mapping.register(ConfigSnapshot)
_Mapping.register(Secret)
_Mapping.register(SecretsSnapshot)

_VIEW = (
    "channels",
    "flavor",
    "hyperparameters",
    "job",
    "paths",
    "platform",
    "resources",
    "role",
    "topology",
)

__all__ = [
    "Buckets",
    "Channel",
    "ConfigError",
    "ConfigSnapshot",
    "ContractError",
    "Counter",
    "CredentialsError",
    "DeliveryError",
    "Gauge",
    "Group",
    "Histogram",
    "HyperparameterError",
    "Hyperparameters",
    "Job",
    "LyftlearnRuntimeError",
    "Paths",
    "Resources",
    "Secret",
    "SecretsError",
    "SecretsSnapshot",
    "Series",
    "SettingsError",
    "Timer",
    "Topology",
    "UnreadableError",
    "View",
    "__version__",
    "channels",
    "config",
    "credentials",
    "flavor",
    "hyperparameters",
    "job",
    "metrics",
    "on_shutdown",
    "paths",
    "platform",
    "progress",
    "resolve",
    "resources",
    "role",
    "secrets",
    "shutdown",
    "topology",
]


# Of a module that is imported at the first use: it takes handlers' and threads' modules
# along.
_LIFECYCLE = ("on_shutdown", "shutdown")


def __getattr__(name: str) -> object:
    value: object
    if name in _VIEW:
        value = getattr(_native.current(), name)
    elif name in _LIFECYCLE:
        from lyftlearn_runtime import _shutdown  # noqa: PLC0415 - what this is about

        value = getattr(_shutdown, name)
    elif name == "config":
        from lyftlearn_runtime import _config  # noqa: PLC0415 - the same

        value = _config.config
    elif name == "credentials":
        from lyftlearn_runtime import _credentials  # noqa: PLC0415 - the same

        value = _credentials.credentials
    elif name == "metrics":
        from lyftlearn_runtime import _metrics  # noqa: PLC0415 - the same

        value = _metrics.metrics
    elif name == "secrets":
        from lyftlearn_runtime import _secrets  # noqa: PLC0415 - the same

        value = _secrets.secrets
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # From now on an ordinary attribute: no call at the next use. Threads that come here at once all
    # get the first one's object.
    return globals().setdefault(name, value)


def __dir__() -> list[str]:
    others = ("config", "credentials", "metrics", "secrets")
    return sorted({*globals(), *_VIEW, *_LIFECYCLE, *others})
