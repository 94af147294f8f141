"""Train a classifier of wines: a script for SageMaker's training toolkit."""

import argparse
import json
import os

import joblib
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-iter", type=int, default=50)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--output-data-dir", default=os.environ.get("SM_OUTPUT_DATA_DIR"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    args = parser.parse_args()

    data = np.loadtxt(os.path.join(args.train, "wine.csv"), delimiter=",", skiprows=1)
    train_x, test_x, train_y, test_y = train_test_split(
        data[:, :-1], data[:, -1].astype(int), test_size=0.25, random_state=0
    )
    print(f"read {len(data)} rows, {os.environ['SM_NUM_CPUS']} processors", flush=True)

    model = HistGradientBoostingClassifier(
        learning_rate=args.learning_rate, max_iter=args.max_iter, random_state=0
    )
    model.fit(train_x, train_y)
    accuracy = model.score(test_x, test_y)
    print(f"validation:accuracy={accuracy:.4f}", flush=True)

    joblib.dump(model, os.path.join(args.model_dir, "model.joblib"))
    with open(os.path.join(args.output_data_dir, "metrics.json"), "w", encoding="utf-8") as file:
        json.dump({"accuracy": accuracy, "rows": len(data)}, file)
