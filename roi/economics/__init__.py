"""What each option costs and returns: `decision` compares, on `lines` of cost, on `finance` and the records of `inputs`."""
