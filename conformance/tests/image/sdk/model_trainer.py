"""The SageMaker SDK 3.x and its ModelTrainer in a local container, and nothing of AWS.

    model_trainer.py WORK IMAGE

WORK/data/digits.csv is there. The last line of stdout is JSON: what was seen.
"""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import outside

called = outside.listen()

import boto3  # noqa: E402
from sagemaker.core.helper.session_helper import Session  # noqa: E402
from sagemaker.train.configs import Compute, InputData, SourceCode  # noqa: E402
from sagemaker.train.model_trainer import Mode, ModelTrainer  # noqa: E402


def train(root: Path, data: Path, image: str, source_code: SourceCode) -> dict[str, object]:
    root.mkdir()
    trainer = ModelTrainer(
        training_mode=Mode.LOCAL_CONTAINER,
        sagemaker_session=Session(boto3.Session(region_name="eu-west-1")),
        # In full: a role's name would be looked up.
        role="arn:aws:iam::111111111111:role/ml",
        base_job_name="digits",
        training_image=image,
        source_code=source_code,
        compute=Compute(instance_type="local_cpu", instance_count=1),
        hyperparameters={"C": 0.5, "max_iter": 300},
        local_container_root=str(root),
    )
    trainer.train([InputData(channel_name="train", data_source=str(data))])
    with tarfile.open(root / "compressed_artifacts/model.tar.gz") as archive:
        evaluation = json.load(archive.extractfile("evaluation.json"))  # type: ignore[arg-type]
        return {"model": sorted(archive.getnames()), "evaluation": evaluation}


def main(work: Path, image: str) -> None:
    data = work / "data"
    seen: dict[str, object] = {
        # The SDK's own script replaces the ENTRYPOINT and starts the program.
        "script": train(
            work / "script", data, image, SourceCode(command="python3 /opt/program/train.py")
        ),
        "exec": train(
            work / "exec", data, image, SourceCode(command="lyftlearn-runtime exec -- train")
        ),
    }
    # How it takes away what a container's root left, when it is not root itself.
    left = work / "left"
    left.mkdir(mode=0o700)
    tidy = ["docker", "run", "--rm", f"--volume={left}:/delete", image]
    subprocess.run([*tidy, "chmod", "-R", "777", "/delete"], check=True, capture_output=True)
    seen["left"] = oct(left.stat().st_mode & 0o777)
    seen["outside"] = called
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
