"""What every kernel means, in float64 and loops. All backends are held against this package."""

from oracle._classification import classification, huffman_paths
from oracle._cooccurrence import cooccurrence, merge_counts
from oracle._cosine import length, panels, prepare, score, single, topk
from oracle._draws import draw, draw_pair
from oracle._glove import glove, glove_order
from oracle._negative_sampling import log_sigmoid, negative_sampling, noise_word
from oracle._ranking import Samples, rank_weight, ranking
from oracle._subwords import bag_means, fnv, ngrams, subword_means, subwords
from oracle._tokens import corpus, token_hash, tokens
from oracle._walks import Walker, step_probabilities, walks

__all__ = [
    "Samples",
    "Walker",
    "bag_means",
    "classification",
    "cooccurrence",
    "corpus",
    "draw",
    "draw_pair",
    "fnv",
    "glove",
    "glove_order",
    "huffman_paths",
    "length",
    "log_sigmoid",
    "merge_counts",
    "negative_sampling",
    "ngrams",
    "noise_word",
    "panels",
    "prepare",
    "rank_weight",
    "ranking",
    "score",
    "single",
    "step_probabilities",
    "subword_means",
    "subwords",
    "token_hash",
    "tokens",
    "topk",
    "walks",
]
