"""What is known: cards, models, prices and fitted efficiencies, each a dated data file beside the code that reads it."""
