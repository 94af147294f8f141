"""Train a classifier of handwritten digits."""

import json

import joblib
import lyftlearn_runtime as rt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    c = rt.hyperparameters.float("C", default=1.0)
    max_iter = rt.hyperparameters.int("max_iter", default=200)
    solver = rt.hyperparameters.get("solver", "lbfgs")

    source = rt.channels["train"].path / "digits.csv"
    data = np.loadtxt(source, delimiter=",", skiprows=1)
    pixels, labels = data[:, :-1], data[:, -1].astype(int)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels, labels, test_size=0.25, random_state=0, stratify=labels
    )
    print(f"read {len(data)} rows from {source.name}", flush=True)

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=c, max_iter=max_iter, solver=solver)
    )
    model.fit(train_x, train_y)
    accuracy = float(model.score(test_x, test_y))
    print(f"validation:accuracy={accuracy:.4f}", flush=True)

    # A client of this model can send these rows, together and in this order, and compare the
    # answers.
    sample = test_x[:20]
    evaluation = {
        "accuracy": accuracy,
        "rows": {"train": len(train_x), "test": len(test_x)},
        "hyperparameters": {"C": c, "max_iter": max_iter, "solver": solver},
        "sample": {
            "instances": sample.tolist(),
            "predictions": model.predict(sample).tolist(),
            "probabilities": model.predict_proba(sample).tolist(),
        },
    }

    joblib.dump(model, rt.paths.model / "model.joblib")
    for directory in (rt.paths.model, rt.paths.output_data):
        if directory is not None:
            (directory / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    print("model written", flush=True)


if __name__ == "__main__":
    main()
