"""Small trees through `resolve`: the objects that come out, and the errors."""

import json
import os
import traceback
from collections.abc import Mapping
from pathlib import Path

import lyftlearn_runtime as rt
import pytest
from conftest import Write

CONFIG = "opt/ml/input/config"
SAGEMAKER = {
    "TRAINING_JOB_NAME": "ranking-7",
    "TRAINING_JOB_ARN": "arn:aws:sagemaker:us-east-1:1:training-job/ranking-7",
}
KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


@pytest.fixture
def training(write: Write) -> rt.View:
    """The second of two hosts."""
    root = write(
        {
            f"{CONFIG}/resourceconfig.json": {
                "current_host": "algo-2",
                "hosts": ["algo-1", "algo-2"],
                "network_interface_name": "eth7",
                "current_group_name": "gpu",
                "instance_groups": [
                    {
                        "instance_group_name": "gpu",
                        "instance_type": "ml.g5.2xlarge",
                        "hosts": ["algo-1", "algo-2"],
                    }
                ],
            },
            f"{CONFIG}/inputdataconfig.json": {
                "train": {
                    "TrainingInputMode": "FastFile",
                    "ContentType": "text/csv",
                    "S3DistributionType": "ShardedByS3Key",
                }
            },
            "opt/ml/input/data/train": None,
        }
    )
    return rt.resolve(root=root, environ=SAGEMAKER, argv=["train"])


def test_a_training_job_is_understood(training: rt.View) -> None:
    assert (training.platform, training.flavor, training.role) == (
        "sagemaker",
        "training",
        "training",
    )
    assert training.job.name == "ranking-7"
    assert training.job.id == training.job.arn == SAGEMAKER["TRAINING_JOB_ARN"]
    assert training.job.namespace is None
    assert training.paths.model == Path("/opt/ml/model")
    assert training.paths.failure == Path("/opt/ml/output/failure")
    assert training.paths.code is None
    channel = training.channels["train"]
    assert channel.path == Path("/opt/ml/input/data/train")
    assert (channel.mode, channel.content_type, channel.sharded) == ("fastfile", "text/csv", True)
    topology = training.topology
    assert (topology.host, topology.hosts) == ("algo-2", ["algo-1", "algo-2"])
    assert (topology.node_rank, topology.nodes) == (1, 2)
    assert (topology.master_addr, topology.master_port) == ("algo-1", 7777)
    assert topology.network_interface == "eth7"
    (group,) = topology.groups
    assert (group.name, group.instance_type, group.current) == ("gpu", "ml.g5.2xlarge", True)
    assert group.hosts == topology.hosts
    assert training.resources.cpus >= 1
    assert training.resources.memory_bytes is None


def test_to_dict_is_the_whole_workload_and_no_value(training: rt.View) -> None:
    shown = training.to_dict()
    assert set(shown) == {
        "platform",
        "flavor",
        "role",
        "job",
        "paths",
        "channels",
        "hyperparameters",
        "topology",
        "resources",
        "lifecycle",
        "credentials",
        "metrics",
        "secrets",
        "spark",
    }
    assert shown["topology"]["node_rank"] == training.topology.node_rank
    assert json.loads(json.dumps(shown)) == shown


def test_what_comes_out_shows_itself_as_a_dataclass_would(training: rt.View) -> None:
    assert repr(training) == "View(platform='sagemaker', flavor='training', role='training')"
    assert repr(training.channels["train"]) == (
        "Channel(path=PosixPath('/opt/ml/input/data/train'), mode='fastfile',"
        " content_type='text/csv', sharded=True)"
    )


def test_parts_are_equal_by_value(training: rt.View) -> None:
    other = rt.resolve(environ=KUBERNETES, root="/nonexistent")
    for name in ("job", "paths", "topology", "resources", "channels", "hyperparameters"):
        assert getattr(training, name) == getattr(training, name)
    assert training.job != other.job
    assert training.job != "ranking-7"


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ("View", "role"),
        ("View", "invented"),
        ("Job", "name"),
        ("Paths", "model"),
        ("Channel", "path"),
        ("Topology", "node_rank"),
        ("Group", "hosts"),
        ("Resources", "cpus"),
        ("Resources", "invented"),
    ],
)
def test_nothing_can_be_set(training: rt.View, part: str, field: str) -> None:
    parts = [
        training,
        training.job,
        training.paths,
        training.channels["train"],
        training.topology,
        training.topology.groups[0],
        training.resources,
    ]
    (found,) = [each for each in parts if type(each).__name__ == part]
    with pytest.raises(AttributeError):
        setattr(found, field, "changed")
    with pytest.raises(TypeError):
        type(found)()


def test_channels_cannot_be_changed(training: rt.View) -> None:
    with pytest.raises(TypeError):
        training.channels["train"] = None  # type: ignore[index] # what the stub forbids


def test_any_mapping_is_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYFTLEARN_RUNTIME_ROLE", "serving")
    assert rt.resolve(root="/nonexistent", environ=os.environ).role == "serving"
    assert rt.resolve(root="/nonexistent").role == "serving"
    assert rt.resolve(root="/nonexistent", environ={}).role == "job"


def test_argv_decides_the_role() -> None:
    for argv, role in (["train"], "training"), (["serve"], "serving"), (["python3"], "job"):
        assert rt.resolve(root="/nonexistent", environ=KUBERNETES, argv=argv).role == role


@pytest.mark.parametrize(
    "arguments",
    [{"environ": {"A": 1}}, {"environ": [("A", "1")]}, {"argv": "train"}, {"root": 7}],
    ids=str,
)
def test_what_is_of_another_type_is_refused(arguments: Mapping[str, object]) -> None:
    with pytest.raises(TypeError):
        rt.resolve(**arguments)  # type: ignore[arg-type] # what the stub forbids


Error = tuple[Mapping[str, object], Mapping[str, str], type[rt.LyftlearnRuntimeError], str]
ERRORS: Mapping[str, Error] = {
    "a setting that does not exist": (
        {},
        {"LYFTLEARN_RUNTIME_PLATFROM": "canary"},
        rt.SettingsError,
        "cannot use these settings\n  $LYFTLEARN_RUNTIME_PLATFROM: not a setting;"
        " did you mean $LYFTLEARN_RUNTIME_PLATFORM?",
    ),
    "every wrong setting at once": (
        {"etc/lyftlearn/runtime.toml": 'role = "canary"\nlog = "canary"\n'},
        {},
        rt.SettingsError,
        "cannot use these settings\n"
        "  role in /etc/lyftlearn/runtime.toml:"
        " expected training, processing, serving, transform, job or notebook\n"
        "  log in /etc/lyftlearn/runtime.toml: expected info or off",
    ),
    "settings that are not TOML": (
        {"etc/lyftlearn/runtime.toml": 'role = "job"\nlog = canary\n'},
        {},
        rt.SettingsError,
        "cannot use these settings\n  /etc/lyftlearn/runtime.toml:"
        " malformed TOML at line 2, column 7: string values must be quoted",
    ),
    "a platform's file that is not JSON": (
        {f"{CONFIG}/resourceconfig.json": '{"current_host":\n  canary}'},
        SAGEMAKER,
        rt.ContractError,
        "cannot parse /opt/ml/input/config/resourceconfig.json at line 2, column 3\n"
        "  hint: the platform writes this file; check that the image does not replace it",
    ),
    "a platform's variable that is no number": (
        {},
        {**KUBERNETES, "PET_NNODES": "canary", "PET_NODE_RANK": "0"},
        rt.ContractError,
        "cannot parse $PET_NNODES: expected a whole number\n"
        "  hint: correct the variable in the pod spec, or unset it",
    ),
    "hyperparameters that are not JSON": (
        {f"{CONFIG}/hyperparameters.json": '{"token": canary}'},
        {"LYFTLEARN_RUNTIME_PLATFORM": "sagemaker"},
        rt.ContractError,
        "cannot parse /opt/ml/input/config/hyperparameters.json at line 1, column 11\n"
        "  hint: correct the file; put numbers that JSON cannot express, such as NaN, in quotes",
    ),
    "a directory in a file's place": (
        {f"{CONFIG}/resourceconfig.json": None},
        SAGEMAKER,
        rt.UnreadableError,
        "cannot read /opt/ml/input/config/resourceconfig.json: it is a directory, not a file\n"
        "  hint: check what the image or a mount puts there",
    ),
    "a delivered view that is broken": (
        {"run/lyftlearn/workload.json": '{"platform": "canary"}'},
        {"LYFTLEARN_RUN_DIR": "/run/lyftlearn"},
        rt.ContractError,
        "cannot parse /run/lyftlearn/workload.json at line 1, column 21\n"
        "  hint: correct the file, or remove it",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_names_the_place_and_never_the_value(write: Write, case: str) -> None:
    files, environ, kind, report = ERRORS[case]
    root = write({"tmp": None, **files})
    with pytest.raises(rt.LyftlearnRuntimeError) as raised:
        rt.resolve(root=root, environ={"DB_PASSWORD": "canary", **environ})
    assert type(raised.value) is kind
    assert str(raised.value) == report
    assert "canary" not in "".join(traceback.format_exception_only(kind, raised.value))
    assert raised.value.__cause__ is None


def test_delivered_hyperparameters_that_are_broken_are_said_at_their_use(write: Write) -> None:
    view = rt.resolve(root="/nonexistent", environ=KUBERNETES)
    workload = view.to_dict()
    workload["hyperparameters"]["path"] = "/run/lyftlearn/hyperparameters.json"
    files = {
        "run/lyftlearn/workload.json": workload,
        "run/lyftlearn/hyperparameters.json": '{"token": canary}',
    }
    delivered = rt.resolve(root=write(files), environ={"LYFTLEARN_RUN_DIR": "/run/lyftlearn"})
    assert delivered.to_dict() == workload
    with pytest.raises(rt.ContractError, match=r"hyperparameters\.json at line 1, column 11"):
        _ = delivered.hyperparameters


def test_delivered_hyperparameters_that_are_gone_are_said_and_not_taken_for_none(
    write: Write,
) -> None:
    workload = rt.resolve(root="/nonexistent", environ=KUBERNETES).to_dict()
    workload["hyperparameters"]["path"] = "/run/lyftlearn/hyperparameters.json"
    files = {"run/lyftlearn/workload.json": workload}
    delivered = rt.resolve(root=write(files), environ={"LYFTLEARN_RUN_DIR": "/run/lyftlearn"})
    with pytest.raises(rt.ContractError, match=r"cannot find .*, which this runtime wrote"):
        _ = delivered.hyperparameters
