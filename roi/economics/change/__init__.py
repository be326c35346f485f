"""What changed between two Cases, and what each change did to the figures."""
