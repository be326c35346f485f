"""What was spent: logs and exports of many formats -> one table of records -> the workload, reconciled with the bill.

    files -sniff, detect-> format -records-> one table of disjoint token counts -aggregate-> counts, sums and log-bins
    -> summary: spend, lengths, shape of the load, growth, list price against the bill -> part of a scenario

The only room that imports Ibis, DuckDB and Arrow, at the doors in `engine` and `read`. Text of prompts and answers is never a
column here.
"""
