"""The public kernel functions, one file per kernel.

Each checks its arguments once for all backends, allocates the outputs and calls the backend.
"""

from firth.kernels._cosine import topk
from firth.kernels._negative_sampling import Pass, keep_chances, negative_sampling, noise
from firth.kernels._tokens import Tokens, tokens

__all__ = [
    "Pass",
    "Tokens",
    "keep_chances",
    "negative_sampling",
    "noise",
    "tokens",
    "topk",
]
