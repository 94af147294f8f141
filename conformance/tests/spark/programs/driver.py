"""A notebook's cell: a session, and one job whose blocks executors fetch from the driver.

Nothing here knows a platform, an address or a port. What it found goes to stdout, as JSON.
"""

import json
import os
import signal
import threading
import time

from pyspark.sql import SparkSession

OPTIONS = json.loads(os.environ["DRIVER_OPTIONS"])
FOUND = {"finished": False}


def say():
    print("FOUND " + json.dumps(FOUND), flush=True)
    # spark-submit's JVM is the parent, perhaps PID 1, and waits for a job that hangs.
    if not FOUND["finished"] and "PYSPARK_GATEWAY_PORT" in os.environ:
        os.kill(os.getppid(), signal.SIGTERM)
    os._exit(0)


def job(spark):
    begun = time.monotonic()
    context = spark.sparkContext
    FOUND["sum"] = spark.range(0, 100_000, 1, 1).selectExpr("sum(id)").collect()[0][0]
    FOUND["task_seconds"] = time.monotonic() - begun
    if OPTIONS.get("environment"):
        # SPARK_LOCAL_DIRS is the worker's own.
        of_spark = ("SPARK_LOCAL_HOSTNAME", "SPARK_LOCAL_IP", "SPARK_SUBMIT_OPTS")
        beginnings = ("AWS_", "LYFTLEARN_", *of_spark)

        def seen(_):
            return [name for name in os.environ if name.startswith(beginnings)]

        FOUND["variables"] = sorted(set(context.parallelize([0], 1).flatMap(seen).collect()))
    FOUND["finished"] = True


def main():
    FOUND["opts"] = os.environ.get("SPARK_SUBMIT_OPTS")
    begun = time.monotonic()
    builder = SparkSession.builder.appName("notebook")
    for key, value in OPTIONS.get("config", {}).items():
        builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        FOUND["error"] = str(error)
        say()
    context = spark.sparkContext
    # Block managers by host and port: before there is an executor, the driver's alone.
    managers = context._jsc.sc().getExecutorMemoryStatus().keys().mkString(",").split(",")
    own = context.getConf().get("spark.driver.host")
    blocks = [one for one in managers if one.startswith(f"{own}:")]
    FOUND["session_seconds"] = time.monotonic() - begun
    FOUND["host"] = context.getConf().get("spark.driver.host")
    FOUND["port"] = int(context.getConf().get("spark.driver.port"))
    FOUND["blocks"] = int(blocks[0].rsplit(":", 1)[1]) if blocks else None
    # A job that hangs is left behind.
    thread = threading.Thread(target=job, args=[spark], daemon=True)
    thread.start()
    thread.join(OPTIONS["patience"])
    FOUND["seconds"] = time.monotonic() - begun
    say()


main()
