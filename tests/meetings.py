"""Interactions for tests: two groups of users, each with items of its own."""

import numpy as np

import firth


def two_groups(users=40, items=30, each=8, seed=1):
    """Users with an even number meet the first half of the items, others the second."""
    rng = np.random.default_rng(seed)
    half = items // 2
    who, what = [], []
    for user in range(users):
        met = rng.choice(half, each, replace=False) + half * (user % 2)
        who += [f"u{user:02}"] * each
        what += [f"i{item:02}" for item in met]
    return firth.Interactions(who, what)


def group_of(names):
    """The group that each item belongs to."""
    return [int(name[1:]) >= 15 for name in names]


def own_share(rec, k=5):
    """How many of the first k recommendations are of the user's own group."""
    ids, _ = rec.recommend(rec.users, k)
    own = np.array([int(name[1:]) % 2 for name in rec.users])[:, None]
    return float((np.array(group_of(rec.items))[ids] == own).mean())
