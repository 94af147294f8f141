"""The SageMaker SDK 2.x in local mode: fit, deploy, predict, transform, and nothing of AWS.

    local_mode.py WORK IMAGE

WORK/data/digits.csv is there. The last line of stdout is JSON: what was seen.
"""

import json
import sys
import tarfile
from pathlib import Path

import outside

called = outside.listen()

import boto3  # noqa: E402
from sagemaker.deserializers import JSONDeserializer  # noqa: E402
from sagemaker.estimator import Estimator  # noqa: E402
from sagemaker.local import LocalSession  # noqa: E402
from sagemaker.serializers import JSONSerializer  # noqa: E402


def main(work: Path, image: str) -> None:
    session = LocalSession(boto3.Session(region_name="eu-west-1"), default_bucket="none")
    session.config = {"local": {"local_code": True, "container_root": str(work)}}
    estimator = Estimator(
        image_uri=image,
        # In full: a role's name would be looked up.
        role="arn:aws:iam::111111111111:role/ml",
        instance_count=1,
        instance_type="local",
        hyperparameters={"C": 0.5, "max_iter": 300},
        output_path=f"file://{work}/output",
        environment={"TEAM": "digits"},
        sagemaker_session=session,
    )
    estimator.fit({"train": f"file://{work}/data"}, job_name="digits-local")

    with tarfile.open(estimator.model_data.removeprefix("file://")) as archive:
        members = sorted(archive.getnames())
        evaluation = json.load(archive.extractfile("evaluation.json"))  # type: ignore[arg-type]
    request = {"instances": evaluation["sample"]["instances"]}

    # It answers its ping when this returns; waiting would look every 30 s.
    predictor = estimator.deploy(
        1, "local", wait=False, serializer=JSONSerializer(), deserializer=JSONDeserializer()
    )
    try:
        predicted = predictor.predict(request)
    finally:
        predictor.delete_endpoint()

    asked = work / "asked"
    asked.mkdir()
    (asked / "request.json").write_text(json.dumps(request), encoding="utf-8")
    transformer = estimator.transformer(1, "local", output_path=f"file://{work}/transformed")
    # In local mode the call returns when it is finished; waiting would call CloudWatch.
    transformer.transform(f"file://{asked}", content_type="application/json", wait=False)
    transformed = json.loads((work / "transformed/request.json.out").read_text(encoding="utf-8"))

    seen = {
        "model": members,
        "evaluation": evaluation,
        "predicted": predicted,
        "transformed": transformed,
        "outside": called,
    }
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
