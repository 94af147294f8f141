"""Clicks per country, counted by a Spark cluster elsewhere; written as a notebook's cells.

Nothing here names a platform, an address or a port: `getOrCreate()` finds the master in the
variable MASTER, and executors find this driver by what lyftlearn-runtime has set.
"""

# %%
import json
import os
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

spark = SparkSession.builder.appName("clicks").getOrCreate()

# %%
clicks = spark.range(1_000_000).select(
    (f.col("id") % 7).alias("country"),
    (f.col("id") % 3 == 0).cast("int").alias("bought"),
)
per_country = clicks.groupBy("country").agg(
    f.count("*").alias("clicks"), f.sum("bought").alias("bought")
)
rows = [row.asDict() for row in per_country.orderBy("country").collect()]
print(json.dumps(rows[0]))

# %%
model = Path(os.environ["LYFTLEARN_MODEL_DIR"])
model.joinpath("clicks.json").write_text(json.dumps(rows))
spark.stop()
