"""A simulated card: what NVML says in thirteen scenes, torch.cuda over the CPU, and a machine that lacks packages.

It shows that every CUDA branch runs, keeps what it measured and says what went wrong. It shows no kernel and no speed.
"""
