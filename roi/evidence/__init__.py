"""What an estimate rests on, the best at hand: `known_runs` opens it, `training_speed` and `measured_servers` read profiles.

`serving_speed` and `adapter_speed` say what published runs tell where nothing was measured.
"""
