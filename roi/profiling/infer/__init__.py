"""Prefill and decode of a real model, with an adapter beside it and with the adapter merged into it."""
