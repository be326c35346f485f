"""What torch reserves for a training step.

`caching_allocator` plays a tape of allocations through the rules of torch's caching allocator; `tape_peak` says where the
tape itself is highest, and which tensors are alive there.
"""
