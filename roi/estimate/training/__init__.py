"""What it takes to train a model: the plan, and its peak memory in closed form.

`plan` is read first: it names the method, the targets and the loop. `adapters` says what is stored and trained. `setting` asks
in which type each tensor is kept, on which `adapter_activations`, `attention` and `activations` count what a layer keeps for
backward; `sharding` divides it over GPUs, and `memory` adds the phases of a step up.
"""
