"""cooccurrence and merge_counts: pair by pair, in Python's integers, which have no width."""


def cooccurrence(sentences, weights, symmetric, part=None):
    """{(word, other): sum}; weights[d - 1] is that of distance d.

    ``part``: the places, counted over all sentences, whose words' company counts.
    """
    begin, end = part if part is not None else (0, sum(map(len, sentences)))
    sums, first = {}, 0
    for sentence in sentences:
        for t, word in enumerate(sentence):
            if begin <= first + t < end:
                for u, other in enumerate(sentence):
                    if 1 <= u - t <= len(weights) or (symmetric and 1 <= t - u <= len(weights)):
                        pair = int(word), int(other)
                        sums[pair] = sums.get(pair, 0) + int(weights[abs(u - t) - 1])
        first += len(sentence)
    return sums


def merge_counts(parts):
    """The sums of several counts, each as `cooccurrence` returns them."""
    sums = {}
    for part in parts:
        for pair, value in part.items():
            sums[pair] = sums.get(pair, 0) + value
    return sums
