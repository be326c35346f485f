"""What an estimate rests on, the best at hand: `known_runs` opens it, `training_speed` and `measured_servers` read profiles.

`serving_speed` says what published runs tell where nothing was measured.
"""
