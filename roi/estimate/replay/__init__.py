"""Traffic replayed on replicas, request by request, and the fleet that follows.

`engine` is one replica, `router` several under a load, `traffic` draws requests, `load_curve` finds the largest rate at which
an SLO holds, and `held_out` compares a fitted step with loads of its profile. `fleet` turns one replica's capacity and a day's
hours into replicas, instances and GPUs; `metrics` summarises measured timestamps in the same terms.
"""
