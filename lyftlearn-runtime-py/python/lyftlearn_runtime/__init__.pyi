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

from collections.abc import Mapping

from lyftlearn_runtime._config import Config as _Config
from lyftlearn_runtime._credentials import credentials as credentials
from lyftlearn_runtime._metrics import Metrics as _Metrics
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
    _Flavor,
    _Platform,
    _Role,
    progress,
    resolve,
)
from lyftlearn_runtime._secrets import Secrets as _Secrets
from lyftlearn_runtime._shutdown import Shutdown as _Shutdown
from lyftlearn_runtime._shutdown import on_shutdown as on_shutdown

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

# Of the view that this process sees, read at the first use. What can be wrong with it
# is raised there, as resolve() would.
platform: _Platform
"""Who started the container: "sagemaker", "kubernetes", or "local" for anybody else."""
flavor: _Flavor
"""The variety of the platform: which kind of SageMaker job or app, which kind of
pod, a container or a bare host.
"""
role: _Role
"""What the program is for."""
job: Job
"""What this job is called."""
paths: Paths
"""Directories and files that the program may use."""
channels: Mapping[str, Channel]
"""Input data by channel name, read-only."""
hyperparameters: Hyperparameters
"""Hyperparameters as texts, with types on request.

Raises UnreadableError or ContractError when the delivered document is gone or
broken.
"""
topology: Topology
"""The nodes of this job."""
resources: Resources
"""What this container may use."""

shutdown: _Shutdown
"""Whether a stop was asked for, until when, and how to wait for it. Nothing happens until
the first use.
"""

config: _Config
"""Configuration that may change while the program runs. Nothing happens until the first
use.
"""

metrics: _Metrics
"""Counters, gauges, histograms and timers that no ending of a process loses. Nothing happens
until the first use.
"""

secrets: _Secrets
"""What the program has to know and nobody else. Nothing happens until the first use.
"""
