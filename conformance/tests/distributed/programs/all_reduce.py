"""A worker of torchrun: meets all others, and says what it knows of itself."""

import json
import os

import lyftlearn_runtime as rt
import torch
import torch.distributed as dist

dist.init_process_group("gloo")
total = torch.tensor([float(2 ** dist.get_rank())])
dist.all_reduce(total)
process = rt.topology
assert process.rank == dist.get_rank(), (process.rank, dist.get_rank())
assert process.world_size == dist.get_world_size()
found = {
    "rank": process.rank,
    "world": process.world_size,
    "node": process.node_rank,
    "nodes": process.nodes,
    "local": process.local_rank,
    "master": os.environ["MASTER_ADDR"],
    "sum": int(total.item()),
}
# One write for each line: workers share the stream.
os.write(1, f"TRAINED {json.dumps(found)}\n".encode())
