"""Scenario -> Case: `resolution` writes the scenario's own fields, `api_options` and `hosted_options` what can be had.

`system_facts` says how well a model answers, `training` what a run takes, `plans` (with `plan_capacity`) what GPUs hold.
"""
