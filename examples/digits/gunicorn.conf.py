"""How gunicorn serves the model; it reads these names."""

import os

import lyftlearn_runtime as rt

port = os.environ.get("SAGEMAKER_BIND_TO_PORT") or os.environ.get("PORT") or "8080"
bind = f"0.0.0.0:{port}"
workers = max(1, min(2, int(rt.resources.cpus or 1)))
# Connections are kept open for the next request, and a long prediction does not
# keep a probe waiting.
threads = 4
# In memory, and writable for any user on a read-only root file system.
worker_tmp_dir = "/dev/shm"
# After SIGTERM, requests that have begun may take this long.
graceful_timeout = 20
