"""One file a question, its stages in order: compare, size, fit, usage, validate, calibrate; what one of them takes beside it.

`opening` makes the Case that a question about a scenario is answered from; `saved` reads one back from a saved comparison.
"""
