"""Answer which cultivar a wine is of: FastAPI under uvicorn, as on any host."""

import os
from contextlib import asynccontextmanager
from typing import Annotated

import joblib
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

FEATURES = 13
Row = Annotated[list[float], Field(min_length=FEATURES, max_length=FEATURES)]


class Request(BaseModel):
    """Rows of numbers, as a wine's analysis gives them."""

    instances: Annotated[list[Row], Field(min_length=1)]


@asynccontextmanager
async def lifespan(app: FastAPI):
    # uvicorn listens after this.
    app.state.model = joblib.load(os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/ping")
def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.post("/invocations")
def invocations(request: Request) -> dict[str, list]:
    rows = np.asarray(request.instances)
    model = app.state.model
    return {
        "predictions": model.predict(rows).tolist(),
        "probabilities": model.predict_proba(rows).tolist(),
    }


if __name__ == "__main__":
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    uvicorn.run(app, host="0.0.0.0", port=port, access_log=False)
