"""Scores of held-out rows, for early stopping."""

import numpy as np


def accuracy(right, weights):
    """The part of the rows that are right, by weight."""
    return float(np.average(right, weights=weights))


def r2(y, predicted, weights):
    """The mean over the outputs of how much of the variance is explained; all of it where there is none and no error."""
    weight = 1.0 if weights is None else weights[:, np.newaxis]
    errors = (weight * (y - predicted) ** 2).sum(axis=0, dtype=np.float64)
    mean = np.average(y, axis=0, weights=weights)
    variances = (weight * (y - mean) ** 2).sum(axis=0, dtype=np.float64)
    scores = np.ones(y.shape[1])
    has_variance = variances != 0
    scores[has_variance] = 1 - errors[has_variance] / variances[has_variance]
    scores[(errors != 0) & ~has_variance] = 0.0
    return float(np.average(scores))
