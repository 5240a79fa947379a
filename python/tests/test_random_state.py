"""Generators are left exactly where scikit-learn leaves them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import problems
from compare import OURS, THEIRS, assert_same, quiet


def used_generator(seed=3):
    """A generator in the middle of its block, with one normal number kept back."""
    rng = np.random.RandomState(seed)
    rng.normal(size=3)
    rng.random_sample(size=11)
    return rng


def assert_same_state(a, b):
    for x, y in zip(a, b, strict=True):
        assert_array_equal(x, y)


SMALL = {"hidden_layer_sizes": (6,), "max_iter": 4}
SCENARIOS = {
    # name: (estimator, data, parameters)
    "adam": ("Classifier", problems.binary, {}),
    "sgd, batches of 7": ("Regressor", problems.regression, {"solver": "sgd", "batch_size": 7}),
    "lbfgs": ("Classifier", problems.binary, {"solver": "lbfgs"}),
    "not shuffled": ("Classifier", problems.three_classes, {"shuffle": False}),
    "logistic, several layers": ("Classifier", problems.digits, {"activation": "logistic", "hidden_layer_sizes": (9, 5)}),
    "early stopping, three classes": ("Classifier", problems.letters, {"early_stopping": True}),
    "early stopping, stratified": ("Classifier", problems.two_words, {"early_stopping": True}),
    "early stopping, multilabel": ("Classifier", problems.multilabel, {"early_stopping": True}),
    "early stopping, regression": ("Regressor", problems.several_targets, {"early_stopping": True}),
    "early stopping, not shuffled": ("Regressor", problems.regression, {"early_stopping": True, "shuffle": False}),
    "stops by tol": ("Regressor", problems.regression, {"tol": 10.0, "n_iter_no_change": 1, "max_iter": 30}),
}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_instance(name, dtype):
    kind, data, changes = SCENARIOS[name]
    X, y = data()
    states = []
    for library in (OURS, THEIRS):
        rng = used_generator()
        est = getattr(library, kind)(**SMALL | changes, random_state=rng)
        with quiet():
            est.fit(X.astype(dtype), y)
            states.append(rng.get_state())
            est.fit(X.astype(dtype), y)
        states.append(rng.get_state())
    assert_same_state(states[0], states[2])
    assert_same_state(states[1], states[3])


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "lbfgs"])
def test_global_generator(name):
    """random_state=None draws from np.random, and np.random.seed makes it repeatable."""
    kind, data, changes = SCENARIOS[name]
    X, y = data()
    fitted, states = [], []
    before = np.random.get_state()
    try:
        for library in (OURS, THEIRS):
            np.random.seed(5)
            np.random.normal()
            with quiet():
                fitted.append(getattr(library, kind)(**SMALL | changes).fit(X, y))
            states.append(np.random.get_state())
    finally:
        np.random.set_state(before)
    assert_same_state(*states)
    assert_same(*fitted, X, y)


@pytest.mark.parametrize("shuffle", [True, False])
def test_partial_fit(shuffle):
    X, y = problems.three_classes()
    fitted, states = [], []
    for library in (OURS, THEIRS):
        rng = used_generator()
        est = library.Classifier(**SMALL, random_state=rng, shuffle=shuffle, batch_size=16)
        for rows in (slice(0, 60), slice(60, 150), slice(0, 150)):
            est.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
            states.append(rng.get_state())
        fitted.append(est)
    for ours, theirs in zip(states[:3], states[3:]):
        assert_same_state(ours, theirs)
    assert_same(*fitted, X, y)


def test_an_int_leaves_the_global_generator_alone():
    X, y = problems.binary()
    before = np.random.get_state()
    with quiet():
        OURS.Classifier(**SMALL, random_state=0, early_stopping=True).fit(X, y)
    assert_same_state(np.random.get_state(), before)


def test_instance_shared_by_two_estimators():
    X, y = problems.regression()
    fitted = []
    for library in (OURS, THEIRS):
        rng = used_generator()
        with quiet():
            library.Regressor(**SMALL, random_state=rng).fit(X, y)
            fitted.append(library.Regressor(**SMALL, random_state=rng).fit(X, y))
    assert_same(*fitted, X, y)


def test_other_bit_generator():
    """RandomState need not be of MT19937: then it gives the seed of one, and the fit repeats itself."""
    X, y = problems.three_classes()
    fitted = []
    for _ in range(2):
        rng = np.random.RandomState(np.random.PCG64(3))
        with quiet():
            fitted.append(OURS.Classifier(**SMALL, random_state=rng, early_stopping=True).fit(X, y))
    assert_same(*fitted, X, y, tol=0)


def test_generator_after_a_failed_fit():
    """The first weights and the split are drawn before the validation set is found too small."""
    X, y = problems.regression()
    states = []
    for library in (OURS, THEIRS):
        rng = used_generator()
        with pytest.raises(ValueError, match="validation set is too small"):
            library.Regressor(early_stopping=True, random_state=rng).fit(X[:5], y[:5])
        states.append(rng.get_state())
    assert_same_state(*states)
