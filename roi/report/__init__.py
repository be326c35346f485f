"""How answers are told.

A report builds blocks: titles, paragraphs, tables. layout/blocks.py shows them on a terminal, where no line is longer than the
screen, or as Markdown; the JSON of a report stands beside its blocks. One sub-room a question:
comparison (`roi compare`), serving (`roi size`), training (`roi fit`, `roi calibrate`), usage (`roi usage`), profiles (`roi
profile`); validate.py beside them tells `roi validate`, of training runs and of serving runs.
"""
