"""One file a question, its stages in order: compare, size, fit, usage; beside each what it takes, under the question's name.

`opening` makes the Case that a question about a scenario is answered from; `saved` reads one back from a saved comparison.
"""
