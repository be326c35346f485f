"""A dry run: the real training step on tensors without storage, recorded, and told as a profile of its memory."""
