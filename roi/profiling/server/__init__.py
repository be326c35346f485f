"""Load on a running server: the plan, the HTTP client, the probes, the loads, and the profile that is made of them."""
