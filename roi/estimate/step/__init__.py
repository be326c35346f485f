"""How long a training step takes: from its work in closed form, from a dry run's operators, and from measured steps.

`rates` reads how fast a device is; `work` lists what a micro-step does. `step_time` puts a datasheet's roofline over that work,
`calibration` says how far measured steps lie from it, and `roofline` times the operators of a dry run at a device's measured
rates, as a scale of step_time.
"""
