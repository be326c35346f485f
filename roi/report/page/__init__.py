"""One HTML page in one file: what it is made of, how it is written, and what stays out of it."""
