"""Scenario -> Case: `resolution` writes the scenario's own fields, `vendors` what can be had from whom.

`system_facts` says how well a model answers, `training` what a run takes, `plans` (with `plan_capacity`) what GPUs hold.
"""
