"""The public kernel functions, one file per kernel.

Each checks its arguments once for all backends, allocates the outputs and calls the backend.
"""

from firth.kernels._classification import Learnt, classification, huffman_paths
from firth.kernels._cooccurrence import cooccurrence, distance_weights, merge_counts
from firth.kernels._cosine import prepare, topk
from firth.kernels._draws import keep_chances, noise
from firth.kernels._glove import Fitted, glove, glove_tables
from firth.kernels._merge import merge_topk
from firth.kernels._negative_sampling import Pass, negative_sampling
from firth.kernels._prepared import Prepared
from firth.kernels._ranking import Ranked, ranking
from firth.kernels._subwords import Bags, bag_means, subword_means, subwords
from firth.kernels._tables import padded_rows
from firth.kernels._tokens import Tokens, tokens
from firth.kernels._walks import Transitions, Walked, transitions, walks

__all__ = [
    "Bags",
    "Fitted",
    "Learnt",
    "Pass",
    "Prepared",
    "Ranked",
    "Tokens",
    "Transitions",
    "Walked",
    "bag_means",
    "classification",
    "cooccurrence",
    "distance_weights",
    "glove",
    "glove_tables",
    "huffman_paths",
    "keep_chances",
    "merge_counts",
    "merge_topk",
    "negative_sampling",
    "noise",
    "padded_rows",
    "prepare",
    "ranking",
    "subword_means",
    "subwords",
    "tokens",
    "topk",
    "transitions",
    "walks",
]
