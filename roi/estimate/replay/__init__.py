"""Traffic replayed on replicas, request by request, and the fleet that follows.

`engine` is one replica, `router` several under a load, `traffic` draws requests, `load_curve` finds the largest rate at which
an SLO holds, and `held_out` replays the loads of a profile to check a fitted step. `fleet` turns one replica's capacity and a
day's hours into replicas, instances and GPUs; `metrics` summarises measured timestamps in the same terms.
Each imports only those before it in: engine | fleet | metrics, router, load_curve | traffic | held_out.
"""
