"""How good vectors are, held against people's judgements, edges, labels and interactions.

What learns from vectors (`link_prediction`, `node_classification`) needs scikit-learn, which comes
with ``firth[sklearn]``; everything else needs numpy only.
"""

from firth.evaluate.analogy import Analogies, Section, analogies
from firth.evaluate.link_search import LinkRanking, PredictedLinks, link_ranking, predict_links
from firth.evaluate.links import LinkPrediction, edge_features, link_prediction
from firth.evaluate.nodes import NodeClassification, node_classification
from firth.evaluate.ranking import (
    AtK,
    auc,
    average_precision,
    hits_at_k,
    metrics_at_k,
    mrr,
    ranks_among,
)
from firth.evaluate.recommendation import recommendation
from firth.evaluate.similarity import WordPairs, word_pairs
from firth.evaluate.splits import Links, LinkSplit, split_links

__all__ = [
    "Analogies",
    "AtK",
    "LinkPrediction",
    "LinkRanking",
    "LinkSplit",
    "Links",
    "NodeClassification",
    "PredictedLinks",
    "Section",
    "WordPairs",
    "analogies",
    "auc",
    "average_precision",
    "edge_features",
    "hits_at_k",
    "link_prediction",
    "link_ranking",
    "metrics_at_k",
    "mrr",
    "node_classification",
    "predict_links",
    "ranks_among",
    "recommendation",
    "split_links",
    "word_pairs",
]
