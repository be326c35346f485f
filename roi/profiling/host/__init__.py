"""What the machine says of itself without torch: the host, and a GPU through NVML."""
