"""A short real training run: the model of a plan, its steps, its points, and the profile that is made of them."""
