"""What one replica of a serving engine does in a step and holds in memory, and how its step is fitted to a profile.

`iteration` is the time of a step, `request_shape` the tokens of the requests, `replica_memory` the bytes on each GPU, and
`capacity` the closed form that ranks plans. For a profiled server `windows` turns timestamps into rows of time and work,
`plausibility` refuses what cannot be, and `step_fit` finds the coefficients.
"""
