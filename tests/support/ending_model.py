"""A scenario whose model ends in ten days, its successor unnamed, beside another that is tested and as good."""

ENDING = """
as_of: 2026-12-01
draws: 1024
workload: {requests_per_day: 60000, input_tokens: 300000, output_tokens: 8}
incumbent: {provider: openai, model: gpt-5-mini}
quality: {bar: 0.9, scores: {gpt-5-mini: 0.95, gpt-6-luna: 0.95}}
candidates: {api_models: [openai/gpt-6-luna]}
"""
"""Staying beats it too often over all prices of a successor that nobody named: 0.4 to 1.6 x. It asks 0.8 x."""
