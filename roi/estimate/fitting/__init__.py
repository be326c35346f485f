"""Which cards hold a training plan: what its process needs beyond the tensors, and the nearest plan that fits.

`overhead` is what comes on top of the allocated peak, `dry_peaks` the peaks of a dry run, `smaller_plans` the plans that need
less; `gpu_fit` asks of one card whether it holds the plan.
"""
