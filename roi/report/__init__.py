"""How answers are told.

A report builds blocks (layout/blocks.py): titles, paragraphs, tables. One renderer (layout/blocks.py) shows them on a terminal,
where no line is longer than the screen, or as Markdown; the JSON of a report stands beside its blocks. One sub-room a question:
comparison (`roi compare`), serving (`roi size`), training (`roi fit`, `roi calibrate`), usage (`roi usage`), profiles (`roi
profile`); `roi validate` has its two reports in training and serving.
"""
