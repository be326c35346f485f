"""The months after a decision on the comparison's own lines: what was expected of each, what was off, and what lies ahead."""
