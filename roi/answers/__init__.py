"""One file a question, its stages in order: compare, size, fit, usage, validate, calibrate; what one of them takes beside it.

`opening` reads the runs and the trace that stand beside a scenario; `saved` reads a saved comparison back.
"""
