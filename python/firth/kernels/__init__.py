"""The public kernel functions, one file per kernel.

Each checks its arguments once for all backends, allocates the outputs and calls the backend.
"""

from firth.kernels._classification import Learnt, classification, huffman_paths, padded_rows
from firth.kernels._cosine import prepare, topk
from firth.kernels._merge import merge_topk
from firth.kernels._negative_sampling import Pass, keep_chances, negative_sampling, noise
from firth.kernels._prepared import Prepared
from firth.kernels._subwords import Bags, bag_means, subword_means, subwords
from firth.kernels._tokens import Tokens, tokens

__all__ = [
    "Bags",
    "Learnt",
    "Pass",
    "Prepared",
    "Tokens",
    "bag_means",
    "classification",
    "huffman_paths",
    "keep_chances",
    "merge_topk",
    "negative_sampling",
    "noise",
    "padded_rows",
    "prepare",
    "subword_means",
    "subwords",
    "tokens",
    "topk",
]
