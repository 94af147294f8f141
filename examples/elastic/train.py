"""Fits a line on however many nodes there are at the moment.

Nothing here names a platform, a rank's address or a number of nodes: torchrun starts the workers,
and lyftlearn-runtime tells it how the nodes meet. When a node leaves or joins, torchrun begins a
new round, and the workers go on from the last checkpoint.
"""

import os
import sys

import lyftlearn_runtime as rt
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

STEPS = rt.hyperparameters.int("steps", 1000)
# A node that is lost without notice costs at most so many.
SAVE_EVERY = rt.hyperparameters.int("save_every", 50)
# torchrun looks for nodes that join every 5 s, before torch 2.4.
TOLD_WITHIN = 6.0
CHECKPOINT = os.path.join(rt.paths.checkpoints, "line.pt")


def agreed(flag: bool) -> bool:
    """Whether any rank says so. All ranks call this in the same step, so that all of them know
    before one of them leaves."""
    flags = torch.tensor([float(flag)])
    dist.all_reduce(flags, op=dist.ReduceOp.MAX)
    return bool(flags.item())


def save(model: DistributedDataParallel, step: int) -> None:
    """Whole or not at all: the other nodes may read at any time."""
    if dist.get_rank() == 0:
        torch.save({"step": step, "model": model.module.state_dict()}, CHECKPOINT + ".new")
        os.replace(CHECKPOINT + ".new", CHECKPOINT)
    dist.barrier()


def main() -> int:
    # From here on a stop does not end this process in the middle of a step.
    if rt.shutdown.requested:
        return 0
    dist.init_process_group("gloo")
    model = DistributedDataParallel(torch.nn.Linear(1, 1))
    first = 0
    if os.path.exists(CHECKPOINT):
        saved = torch.load(CHECKPOINT)
        model.module.load_state_dict(saved["model"])
        first = saved["step"]
    print(f"round of {dist.get_world_size()} begins at step {first}", flush=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(first, STEPS):
        x = torch.rand(32, 1)
        loss = torch.nn.functional.mse_loss(model(x), 3 * x + 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ends = agreed(rt.shutdown.requested)
        if ends or step % SAVE_EVERY == SAVE_EVERY - 1:
            save(model, step + 1)
        if ends:
            # Where another rank was told, this one hears of it a little later. If it does not,
            # a node leaves, and torchrun begins a round without it.
            rt.shutdown.wait(TOLD_WITHIN)
            reason = rt.shutdown.reason or "new round"
            print(f"saved step {step + 1} before a {reason}", flush=True)
            return 0 if reason == "stop" else 1
    if dist.get_rank() == 0:
        torch.save(model.module.state_dict(), os.path.join(rt.paths.model, "line.pt"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
