"""What was spent: logs and exports of many formats, to one log of records, to the workload, reconciled with the bill.

    read/       files and what they are made of, their raw tables; the one record, and what a format is
    formats/    what rows of each tool's exports say, in the fields of the record
    log         files to one log of records; `duplicates` sees to it that the same calls never count twice;
                `sums` tells rows that are sums of a time from calls
    measure/    sums and log-bins of the log: days, lengths, growth, list prices against the bill, the workload
    summary     the spine: a question, answered with `Usage`

The only room that imports Ibis, DuckDB and Arrow (Ibis at one door, `read.lazy_ibis`). Text of prompts and answers is never a
column here.
"""
