"""What reserved memory adds where lengths vary: VARIED_CHAIN of roi/estimate/accuracy/measured_run.py.

    python lab/fit_varied_lengths.py

Each plan is run dry at 1,024 and at 2,048 tokens; the size of every block lies on a line between the two, so that a step of any
length can be played through the model of torch's caching allocator. STEPS steps of lengths drawn evenly between 100 and 2,048
tokens, one of them the longest, are played DRAWS times. Printed: reserved bytes beyond the high point of the loss, over the
loss chain (12 bytes a logit). VARIED_CHAIN is the median of the replays with checkpointing alone: without it, what forward
keeps may grow too; what is left after that median of the chain is printed over what forward keeps. Needs the extra `profile`;
one to six minutes of one core.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import find_model
from roi.estimate.accuracy.measured_run import LOSS_CHAIN_BYTES
from roi.estimate.allocator.caching_allocator import MIN_BLOCK_BYTES, SMALL_REQUEST_BYTES, _Block, _order, _Pool
from roi.estimate.training.memory import CUBLAS_WORKSPACE_BYTES, training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.facts.tape import Tape

LONGEST, SHORTER, SHORTEST = 2048, 1024, 100
STEPS, DRAWS = (30, 100), 2
PLAN = TrainingPlan(rank=8.0, seq=float(LONGEST), autocast=True, trainer="hf")
PLANS = (
    ("qwen2.5-0.5b", replace(PLAN, targets="attention", attention="flash")),
    ("qwen2.5-0.5b", replace(PLAN, checkpointing=False, attention="flash")),
    ("llama-3.2-1b", PLAN), ("llama-3.2-1b", replace(PLAN, method="qlora")), ("tinyllama-1.1b", PLAN),
    ("tinyllama-1.1b", replace(PLAN, checkpointing=False)),
    ("tinyllama-1.1b", replace(PLAN, method="full", autocast=False)),
)


def tape_of(name: str, plan: TrainingPlan, seq: int) -> Tape:
    """The plan's dry run at this length."""
    from roi.profiling.dry.dry_run import dry_run

    return dry_run(model_config(find_model(name)), replace(plan, seq=float(seq)), workspace_bytes=CUBLAS_WORKSPACE_BYTES).tape


def main() -> None:
    """Print every replay."""
    import torch

    torch.set_num_threads(1)
    random, chains, unchecked = np.random.default_rng(0), [], []
    for name, plan in PLANS:
        short, long = tape_of(name, plan, SHORTER), tape_of(name, plan, LONGEST)
        slope = (sizes(long) - sizes(short)) / (LONGEST - SHORTER)
        start = sizes(long) - slope * LONGEST
        memory = training_memory(find_model(name), plan)
        chain = LOSS_CHAIN_BYTES * LONGEST * find_model(name).vocab
        for steps in STEPS:
            told = []
            for _ in range(DRAWS):
                lengths = random.integers(SHORTEST, LONGEST + 1, steps)
                lengths[random.integers(steps)] = LONGEST
                reserved = replay_steps(long, [(start + slope * length).tolist() for length in lengths])
                beyond = reserved - float(max(memory.phase_bytes[0], memory.phase_bytes[1]))
                if plan.checkpointing:
                    chains.append(beyond / chain)
                else:
                    unchecked.append((beyond, chain, float(memory.saved_bytes)))
                told.append(f"{beyond / chain:.2f}")
            print(f"{name} {plan.method} checkpointing {plan.checkpointing}, {steps} steps: {', '.join(told)}", flush=True)
    middle = np.median(chains)
    print(f"with checkpointing, of the chain: {spread(chains)}")
    print(f"without, of what is kept: {spread([(beyond - middle * chain) / saved for beyond, chain, saved in unchecked])}")


def replay_steps(tape: Tape, steps: Sequence[Sequence[float]]) -> int:
    """What torch reserves, in bytes, for steps of one structure and other sizes: `steps` has each block's bytes in each.

    A tape of one length has the events of every length; what is made before the step has its bytes in the first.
    """
    events: list[int] = tape.events.tolist()
    small, large = _Pool(), _Pool(large=True)
    held: dict[tuple[int, int], tuple[_Pool, _Block]] = {}
    for index, copy in _order(tape, events, len(steps)):
        which = abs(events[index]) - 1
        size = -(-max(int(steps[copy][which]), 0) // MIN_BLOCK_BYTES) * MIN_BLOCK_BYTES
        if events[index] < 0:
            pool, block = held.pop((which, copy), (None, None))
            if pool is not None and block is not None:
                pool.take_back(block)
        elif size:
            pool = small if size <= SMALL_REQUEST_BYTES else large
            held[which, copy] = pool, pool.hand_out(size)
    return small.reserved + large.reserved


def spread(values: list[float]) -> str:
    """Median, 5th and 95th percentile, least and most, and how many."""
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"median {middle:.2f}, 5-95% {low:.2f} to {high:.2f}, {min(values):.2f} to {max(values):.2f}, n {len(values)}"


def sizes(tape: Tape) -> np.ndarray:
    """Bytes of every block."""
    return np.array([block.nbytes for block in tape.blocks], dtype=float)


if __name__ == "__main__":
    main()
