"""Small data sets, the same on every call."""

import numpy as np
from sklearn import datasets


def binary(n_samples=120):
    return datasets.make_classification(n_samples, 6, random_state=1)


def three_classes(n_samples=150):
    return datasets.make_classification(n_samples, 8, n_informative=5, n_classes=3, random_state=2)


def letters():
    X, y = three_classes()
    return X, np.array(["a", "b", "c"], dtype=object)[y]


def two_words():
    X, y = binary()
    return X, np.array(["no", "yes"])[y]


def multilabel():
    X, Y = datasets.make_multilabel_classification(100, 7, n_classes=4, random_state=3)
    return X / 10, Y


def digits():
    X, y = datasets.load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


def iris():
    return datasets.load_iris(return_X_y=True)


def unscaled():
    """Outputs so large that the probabilities reach the clip of the log-loss."""
    X, y = three_classes()
    return X * 255, y


def unscaled_binary():
    X, y = binary()
    return X * 255, y


def one_class():
    X, _ = binary()
    return X, np.full(len(X), 7)


def one_feature():
    X, y = binary()
    return X[:, :1], y


def regression():
    X, y = datasets.make_regression(120, 5, noise=5.0, random_state=4)
    return X, y / 50


def several_targets():
    X, Y = datasets.make_regression(120, 5, n_targets=3, noise=5.0, random_state=5)
    return X, Y / 50


def counts():
    rng = np.random.RandomState(6)
    X = rng.normal(size=(120, 4))
    return X, rng.poisson(np.exp(0.5 * X[:, 0] + 0.5))


def several_counts():
    X, y = counts()
    return X, np.stack([y, y[::-1]], axis=1)


def constant_target():
    X, y = regression()
    return X, np.full_like(y, 3.0)


def weights(n_samples):
    """Weights of which every fifth is 0."""
    w = np.random.RandomState(8).uniform(0.1, 3.0, n_samples)
    w[::5] = 0
    return w
