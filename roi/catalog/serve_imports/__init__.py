"""Serving benchmarks of other tools, read as profiles: vllm bench serve, guidellm, aiperf, genai-perf."""
