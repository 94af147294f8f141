"""Answer what digit an image shows."""

import joblib
import lyftlearn_runtime as rt
import numpy as np
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, HTTPException

PIXELS = 64

app = Flask(__name__)
model = joblib.load(rt.paths.model / "model.joblib")


# gunicorn imports this module before it accepts requests, so every response comes from a process
# that has loaded the model.
@app.get("/ping")
@app.get("/healthz/ready")
def ready() -> ResponseReturnValue:
    return jsonify(status="ready")


@app.post("/invocations")
def invocations() -> ResponseReturnValue:
    rows = instances(request.get_json(force=True, silent=True))
    return jsonify(
        predictions=model.predict(rows).tolist(),
        probabilities=model.predict_proba(rows).tolist(),
    )


def instances(body: object) -> np.ndarray:
    if not isinstance(body, dict) or "instances" not in body:
        raise BadRequest('expected a JSON object with the key "instances"')
    try:
        rows = np.asarray(body["instances"], dtype=float)
    except (TypeError, ValueError):
        rows = np.empty(0)
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] != PIXELS:
        raise BadRequest(f'"instances" must be a list of rows of {PIXELS} numbers each')
    if not np.isfinite(rows).all():
        raise BadRequest('"instances" must hold finite numbers only')
    return rows


@app.errorhandler(HTTPException)
def error(problem: HTTPException) -> ResponseReturnValue:
    return jsonify(error=problem.description), problem.code or 500
