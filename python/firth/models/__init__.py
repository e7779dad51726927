"""One file per model: what it feeds to the kernels."""
