"""What vendors offer: APIs of list prices, today's model otherwise, and what hosts rent out or tune.

`api_options` writes options that pay by the token, `levers` those that keep today's model, `hosted_options` the rest; all of
them take their prices and promises from `api_terms`.
"""
