"""Random /opt/ml trees, and what sagemaker-training-toolkit makes of each.

usage: trees.py DIRECTORY COUNT SEED

Tree N is DIRECTORY/N, laid out as below /. One line of JSON a tree: `environ`, and either
`variables` (those that a process can be given), `missing` (those that it cannot, by name) and
`side`, or `error`.
`odd` says that a document is none that JSON allows, or names no hosts.
"""

import contextlib
import importlib
import json
import logging
import math
import os
import random
import struct
import sys
from pathlib import Path

STRING_BYTES = 131072  # MAX_ARG_STRLEN
CPUS = os.cpu_count() or 1

NAMES = [
    "lr",
    "epochs",
    "batch-size",
    "Batch-Size",
    "a.b",
    "k",
    "K",
    "layers",
    "ß",
    "straße",
    "ﬁ",
    "名前",
    "é",
    "note",
    "hp_x",
    "hosts",
    "x",
    "X",
]
NAMES += [
    "x y",
    "_tuning_objective_metric",
    "default_user_module_name",
    "mp_parameters",
    "sagemaker",
]
SAGEMAKER = [
    "program",
    "submit_directory",
    "container_log_level",
    "job_name",
    "region",
    "enable_cloudwatch_metrics",
    "s3_output",
    "mpi_enabled",
    "torch_distributed_enabled",
    "parameter_server_enabled",
    "pytorch_ddp_enabled",
    "distributed_dataparallel_enabled",
    "distribution_instance_groups",
    "instance_type",
    "x",
]

LITERALS = [
    "",
    " ",
    "  5  ",
    "5\n",
    "007",
    "+7",
    "0x10",
    "1_000",
    "True",
    "None",
    "\u00a05",
    "NaN",
    "Infinity",
    "-Infinity",
]
LITERALS += [
    "1e400",
    "-1e400",
    "1e16",
    "1e15",
    "1e5",
    "-0",
    "-0.0",
    "0.1",
    "1e-4",
    "1e-5",
    "5e-324",
    "null",
    "true",
    "false",
]
LITERALS += [
    '{"a": 1, "a": 2}',
    "[1, 2",
    "[1,]",
    "nan",
    "1.",
    ".5",
    "1e",
    "{'a': 1}",
    '"bob"',
    "'bob'",
    "\ufeff1",
    "[]",
    "{}",
]
LITERALS += [
    '"\\ud83d\\ude00"',
    '["\\ud83d\\ude00", "\\u00e9"]',
    "\x7f",
    '"\x7f"',
    "a=b",
    "--x",
    "$(x)",
    "a\nb",
    "é😀",
    "\uff19",
]
LITERALS += [
    "12345678901234567890123456789",
    "0" * 40,
    "1" * 4300,
    "1" * 4301,
    "[[[[[[]]]]]]",
    '{"b": [1, {"c": null}]}',
]
LITERALS += [
    '"\\ud800"',
    '["\\udc80"]',
    '"a\\u0000b"',
    "9007199254740993",
    "1" * 30 + ".5",
    "1E+2",
    "1e+16",
    "0e0",
    "00",
]
LETTERS = "ab Z09_-.'\"\\/\n\t\r\b\x00\x01\x7f\x85\xa0\xadéß"
LETTERS += "\u0301\u200b\u2028\u3000漢\ue000\uffff😀\U0010ffff"


class Tree:
    def __init__(self, root, rng):
        self.root, self.rng, self.odd, self.raw = root, rng, False, False

    def chance(self, share):
        return self.rng.random() < share

    def text(self, limit=8, letters=LETTERS):
        return "".join(self.rng.choice(letters) for _ in range(self.rng.randrange(limit)))

    def float(self):
        kind = self.rng.randrange(4)
        if kind == 0:
            (number,) = struct.unpack("<d", self.rng.randbytes(8))
            return number
        if kind == 1:
            return self.rng.choice(
                [0.0, -0.0, 1e16, 1e-5, 123456.0, 1e22, math.inf, -math.inf, math.nan]
            )
        if kind == 2:
            return round(self.rng.uniform(-10, 10), self.rng.randrange(6))
        return self.rng.uniform(0.1, 10) * 10 ** self.rng.randrange(-20, 20)

    def value(self, depth=0):
        kind = self.rng.randrange(8 if depth < 4 else 6)
        if kind == 0:
            return self.rng.choice([None, True, False])
        if kind == 1:
            return self.rng.choice(
                [0, 1, -1, 10**18, 2**64, 10**40, self.rng.randrange(-1000, 1000)]
            )
        if kind in (2, 3):
            return self.float()
        if kind in (4, 5):
            return self.text()
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self.rng.randrange(4))]
        many = 30 if self.chance(0.05) else 4
        return {self.text(5): self.value(depth + 1) for _ in range(self.rng.randrange(many))}

    def encoded(self):
        """A hyperparameter's text, as the different clients write it, or broken."""
        kind = self.rng.randrange(10)
        if kind < 3:
            return self.rng.choice(LITERALS)
        if kind == 3:
            return self.text()
        if kind == 4:
            return str(self.value())
        if kind == 5 and self.chance(0.2):
            return self.rng.choice(["x", "é"]) * self.rng.choice(
                [21000, 65000, 131062, 131063, 140000, 2000000]
            )
        indent = self.rng.choice([None, None, None, 1])
        text = json.dumps(self.value(), ensure_ascii=self.chance(0.5), indent=indent)
        if kind == 6 and text:
            place = self.rng.randrange(len(text))
            text = (
                text[:place]
                + self.text(2, LETTERS + "{}[],:eE+-0123456789")
                + text[place + self.rng.randrange(2) :]
            )
        return text

    def hyperparameters(self):
        pairs = []
        for _ in range(self.rng.randrange(9)):
            name = (
                self.rng.choice(NAMES)
                if self.chance(0.6)
                else "sagemaker_" + self.rng.choice(SAGEMAKER)
            )
            if self.chance(0.15):
                name = self.text(6).replace("\x00", "")
            pairs.append((name, self.known(name)))
        if self.chance(0.1) and pairs:
            pairs.append(self.rng.choice(pairs))
            pairs.append((pairs[0][0], self.encoded()))
        written = []
        for name, value in pairs:
            shown = json.dumps(value, ensure_ascii=self.chance(0.5))
            if self.chance(0.1):
                # Not a text: what SageMaker never writes and people do.
                shown = json.dumps(self.value())
                self.odd = self.odd or "NaN" in shown or "Infinity" in shown
            written.append(f"{json.dumps(name)}: {shown}")
        if self.chance(0.01):
            written.append('"\\ud800": "1"')
            self.odd = True
        return "{" + ", ".join(written) + "}"

    def known(self, name):
        groups = ["homogeneousCluster", "cpu", "gpu"]
        if name == "sagemaker_distribution_instance_groups" and self.chance(0.8):
            return json.dumps(self.rng.choice([["gpu"], groups, [], "gpu_and_cpu", {"gpu": 1}]))
        if name == "sagemaker_program" and self.chance(0.8):
            return json.dumps(self.rng.choice(["train.py", "a/b.py", "run.sh", "pkg", ".py"]))
        if name in ("sagemaker_job_name", "sagemaker_region") and self.chance(0.8):
            return json.dumps(self.rng.choice(["job-1", "eu-west-1", ""]))
        if name.endswith("_enabled"):
            return self.rng.choice(
                ["true", "false", "0", "1", '""', "[]", "0.0", "{}", "null", "yes"]
            )
        return self.encoded()

    def resource_config(self):
        count = self.rng.choice([1, 1, 2, 3, 11])
        hosts = sorted(f"algo-{number + 1}" for number in range(count))
        config = {"current_host": self.rng.choice(hosts), "hosts": hosts}
        names = self.rng.choice(
            [["homogeneousCluster"], ["cpu", "gpu"], ["gpu", "cpu", "p"], ["gpu"]]
        )
        if self.chance(0.7):
            shuffled = self.rng.sample(hosts, count)
            config["instance_groups"] = [
                {
                    "instance_group_name": name,
                    "instance_type": "ml.c5.xlarge",
                    "hosts": shuffled[at :: len(names)],
                }
                for at, name in enumerate(names)
            ]
            config["current_group_name"] = self.rng.choice([*names, "elsewhere"])
        if self.chance(0.7):
            config["current_instance_type"] = self.rng.choice(
                ["ml.c5.xlarge", "ml.trn2.48xlarge", "local_gpu", "ml.trn1.2xlarge"]
            )
        if self.chance(0.7):
            config["network_interface_name"] = self.rng.choice(["eth0", "ethwe", "eth1", None])
        if self.chance(0.5):
            topology = [
                {"hostName": host, "capacityUnitId": f"cu-{self.rng.randrange(3)}"}
                for host in hosts
            ]
            config["topology"] = self.rng.choice([None, [], topology, {"a": 1.5}])
        if self.chance(0.1):
            config[self.text(5).replace("\x00", "") or "more"] = json.loads(
                json.dumps(self.finite(self.value())).replace("\\u0000", "?")
            )
        for key in (
            "current_host",
            "hosts",
            "current_group_name",
            "current_instance_type",
            "instance_groups",
        ):
            if self.chance(0.01):
                self.odd = self.odd or key.endswith(("host", "hosts"))
                config[key] = None
            elif self.chance(0.01):
                config.pop(key, None)
        pairs = list(config.items())
        self.rng.shuffle(pairs)
        return json.dumps(dict(pairs), indent=self.rng.choice([None, 2]))

    def finite(self, value):
        if isinstance(value, float) and not math.isfinite(value):
            return 0.5
        if isinstance(value, list):
            return [self.finite(inner) for inner in value]
        if isinstance(value, dict):
            return {key: self.finite(inner) for key, inner in value.items()}
        return value

    def input_data_config(self):
        names = self.rng.sample(
            ["train", "training", "Train", "validation", "a-b", "a_b", "x.y", "straße", "s"],
            self.rng.randrange(5),
        )
        config = {}
        for name in names:
            config[name] = {
                "TrainingInputMode": self.rng.choice(["File", "Pipe", "FastFile"]),
                "RecordWrapperType": "None",
            }
            if self.chance(0.5):
                config[name]["S3DistributionType"] = self.rng.choice(
                    ["FullyReplicated", "ShardedByS3Key"]
                )
            if self.chance(0.3):
                config[name]["ContentType"] = self.rng.choice(["text/csv", "é/ü"])
        return json.dumps(config, ensure_ascii=self.chance(0.5))

    def file(self, path, text, mode=0o644):
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
        place.chmod(mode)

    def lay_out(self):
        for name in ("hyperparameters", "resourceconfig", "inputdataconfig"):
            document = {
                "hyperparameters": self.hyperparameters,
                "resourceconfig": self.resource_config,
                "inputdataconfig": self.input_data_config,
            }[name]()
            if self.chance(0.01):
                document = document[: self.rng.randrange(len(document))]
                self.odd = True
            if not self.chance(0.01):
                self.file(f"opt/ml/input/config/{name}.json", document)
        environ = {}
        self.file("sys/devices/system/cpu/online", f"0-{CPUS - 1}\n")
        (self.root / "usr/bin").mkdir(parents=True)
        gpus, neurons = self.rng.choice([0, 0, 1, 8]), self.rng.choice([0, 0, 0, 1, 16])
        for number in range(gpus):
            self.file(f"dev/nvidia{number}", "")
        if gpus:
            lines = "".join(f"GPU {number}: A\n" for number in range(gpus))
            self.file("usr/bin/nvidia-smi", f"#!/bin/sh\nprintf '{lines}'\n", 0o755)
        for number in range(neurons):
            self.file(f"dev/neuron{number}", "")
            for core in range(2):
                self.file(
                    f"sys/devices/virtual/neuron_device/neuron{number}/neuron_core{core}/stats", ""
                )
        if neurons:
            self.file(
                "usr/bin/neuron-ls",
                f"#!/bin/sh\necho '{json.dumps([{'nc_count': 2}] * neurons)}'\n",
                0o755,
            )
        for program in ("smddprun", "smddpmprun"):
            if self.chance(0.1):
                self.file(f"usr/bin/{program}", "#!/bin/sh\n", 0o755)
        for name, values in {
            "TRAINING_JOB_NAME": ["job-1", "job-1", None],
            "SAGEMAKER_PROGRAM": [None, None, None, "own.py", "own.sh"],
            "SAGEMAKER_SUBMIT_DIRECTORY": [None, None, "s3://b/p"],
            "SAGEMAKER_TRAINING_MODULE": [None, None, None, "framework.training:main"],
            "AWS_DEFAULT_REGION": [None, "eu-west-1"],
            "SM_HP_MP_PARAMETERS": [None] * 8 + ["{}", '{"a":1}'],
        }.items():
            value = self.rng.choice(values)
            if value is not None:
                environ[name] = value
        return environ


def settable(name, value):
    """Whether a process can be given this variable."""
    try:
        pair = f"{name}={value}".encode()
    except UnicodeEncodeError:
        return False
    return b"\0" not in pair and "=" not in name and len(pair) + 1 <= STRING_BYTES


def answer(root, environ):
    """What the toolkit makes of a tree."""
    os.environ.clear()
    os.environ.update(
        environ,
        SAGEMAKER_BASE_DIR=str(root / "opt/ml"),
        PATH=f"{root}/usr/bin:/usr/bin:/bin",
        HOME="/nonexistent",
    )
    try:
        # It reads the base directory when it is imported, and creates missing directories.
        from sagemaker_training import environment  # noqa: PLC0415

        importlib.reload(environment)
        made = environment.Environment()
        variables = made.to_env_vars()
        words = made.to_cmd_args()
    except (Exception, RecursionError) as error:
        return {"error": type(error).__name__}
    assert variables["SM_USER_ARGS"] == json.dumps(words, separators=(",", ":"))
    side = {
        name: os.environ[name]
        for name in ("CURRENT_HOST", "SAGEMAKER_JOB_NAME", "SAGEMAKER_REGION")
    }
    variables = {name: value.replace(str(root), "") for name, value in variables.items()}
    given = {name: value for name, value in variables.items() if settable(name, value)}
    missing = [name.encode("ascii", "replace").decode() for name in variables if name not in given]
    return {"variables": given, "missing": missing, "side": side}


def main():
    directory, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    logging.disable()
    for number in range(count):
        tree = Tree(directory / str(number), random.Random(f"{seed}/{number}"))
        environ = tree.lay_out()
        with contextlib.redirect_stdout(sys.stderr):
            found = answer(tree.root, environ)
        print(
            json.dumps({"root": str(tree.root), "environ": environ, "odd": tree.odd, **found}),
            flush=True,
        )


if __name__ == "__main__":
    main()
