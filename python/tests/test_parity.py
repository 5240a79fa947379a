"""The same parameters, data and random_state give scikit-learn's weights, losses, scores and predictions."""

import inspect

import numpy as np
import pandas as pd
import pytest

import problems
from compare import OURS, THEIRS, assert_same, both, quiet

BASE = {"hidden_layer_sizes": (8,), "max_iter": 12, "learning_rate_init": 0.01, "random_state": 0}
SGD = {"solver": "sgd"}
EARLY = {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 20}

C, R = "Classifier", "Regressor"
SETTINGS = {
    # name: (estimator, data, parameters beside BASE)
    "binary": (C, problems.binary, {}),
    "three classes": (C, problems.three_classes, {}),
    "ten classes": (C, problems.digits, {"batch_size": 50}),
    "multilabel": (C, problems.multilabel, {}),
    "words": (C, problems.two_words, {}),
    "letters as objects": (C, problems.letters, {}),
    "one class": (C, problems.one_class, {}),
    "one feature": (C, problems.one_feature, {}),
    "regression": (R, problems.regression, {}),
    "several targets": (R, problems.several_targets, {}),
    "constant target": (R, problems.constant_target, {}),
    "poisson": (R, problems.counts, {"loss": "poisson"}),
    "poisson, several targets": (R, problems.several_counts, {"loss": "poisson"} | SGD),
    "identity": (C, problems.three_classes, {"activation": "identity"}),
    "logistic": (C, problems.three_classes, {"activation": "logistic"}),
    "tanh": (C, problems.three_classes, {"activation": "tanh"}),
    "identity, regression": (R, problems.regression, {"activation": "identity"}),
    "logistic, regression": (R, problems.several_targets, {"activation": "logistic"}),
    "tanh, regression": (R, problems.regression, {"activation": "tanh"}),
    "no hidden layer": (C, problems.three_classes, {"hidden_layer_sizes": ()}),
    "one unit, given as a number": (C, problems.binary, {"hidden_layer_sizes": 1}),
    "three hidden layers": (C, problems.binary, {"hidden_layer_sizes": [9, 5, 4], "activation": "tanh"}),
    "hidden layers as an array": (R, problems.regression, {"hidden_layer_sizes": np.array([5, 3])}),
    "sgd": (C, problems.three_classes, SGD),
    "sgd, no momentum": (C, problems.three_classes, SGD | {"momentum": 0}),
    "sgd, plain momentum": (C, problems.binary, SGD | {"nesterovs_momentum": False, "momentum": 0.8}),
    "sgd, momentum 1": (R, problems.regression, SGD | {"momentum": 1, "learning_rate_init": 1e-4}),
    "sgd, invscaling": (C, problems.binary, SGD | {"learning_rate": "invscaling", "learning_rate_init": 0.5}),
    "sgd, invscaling, power": (R, problems.regression, SGD | {"learning_rate": "invscaling", "power_t": 0.1}),
    "sgd, adaptive": (C, problems.binary, SGD | {"learning_rate": "adaptive", "tol": 0.02, "n_iter_no_change": 1,
                                                 "max_iter": 40}),
    "sgd, adaptive, to the end": (R, problems.regression, SGD | {"learning_rate": "adaptive", "tol": 10.0,
                                                                 "n_iter_no_change": 1, "max_iter": 60}),
    "adam, other betas": (R, problems.regression, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}),
    "adam, betas 0": (C, problems.binary, {"beta_1": 0, "beta_2": 0, "epsilon": 0.1}),
    "batches of 1": (C, problems.binary, {"batch_size": 1, "max_iter": 4}),
    "batches of 7": (C, problems.three_classes, {"batch_size": 7}),
    "batches of 7, sgd": (R, problems.several_targets, SGD | {"batch_size": 7, "learning_rate_init": 0.001}),
    "batches of more than all": (C, problems.binary, {"batch_size": 1000}),
    "one batch": (R, problems.regression, {"batch_size": 120}),
    "automatic batches of 200": (C, lambda: problems.binary(450), {}),
    "not shuffled": (C, problems.three_classes, {"shuffle": False, "batch_size": 32}),
    "not shuffled, regression": (R, problems.regression, {"shuffle": False, "batch_size": 50}),
    "no penalty": (C, problems.three_classes, {"alpha": 0}),
    "large penalty": (R, problems.regression, {"alpha": 20.0, "batch_size": 25}),
    "early stopping": (C, problems.three_classes, EARLY),
    "early stopping, words": (C, problems.two_words, EARLY),
    "early stopping, multilabel": (C, problems.multilabel, EARLY),
    "early stopping, regression": (R, problems.regression, EARLY),
    "early stopping, stops": (C, problems.binary, EARLY | {"n_iter_no_change": 2, "tol": 0.05, "max_iter": 50}),
    "early stopping, adaptive": (R, problems.regression, EARLY | SGD | {"learning_rate": "adaptive", "tol": 0.05,
                                                                        "n_iter_no_change": 2, "max_iter": 40}),
    "early stopping, not shuffled": (R, problems.several_targets, EARLY | {"shuffle": False}),
    "stops by tol": (C, problems.binary, {"tol": 0.03, "n_iter_no_change": 2, "max_iter": 100}),
    "never stops by tol": (C, problems.binary, {"tol": 1e9, "n_iter_no_change": np.inf}),
    "tol 0": (R, problems.regression, {"tol": 0}),
    "unscaled": (C, problems.unscaled, {}),
    "unscaled, binary": (C, problems.unscaled_binary, {"batch_size": 30}),
    "largest seed": (R, problems.regression, {"random_state": 2**32 - 1}),
}


def parameters(changes):
    """BASE with the changes; a function is called, to give each library a generator of its own."""
    return {name: value() if callable(value) else value for name, value in (BASE | changes).items()}


@pytest.mark.parametrize("kind, data, changes", SETTINGS.values(), ids=SETTINGS.keys())
def test_fit(kind, data, changes):
    X, y = data()
    ours, theirs = getattr(OURS, kind)(**parameters(changes)), getattr(THEIRS, kind)(**parameters(changes))
    with quiet():
        assert ours.fit(X, y) is ours
        theirs.fit(X, y)
    assert_same(ours, theirs, X, y)


WEIGHTED = [name for name in SETTINGS if name in {
    "binary", "three classes", "multilabel", "regression", "several targets", "poisson", "sgd", "batches of 7",
    "large penalty", "not shuffled", "early stopping", "early stopping, multilabel", "early stopping, regression",
}]


@pytest.mark.parametrize("name", WEIGHTED)
def test_sample_weight(name):
    kind, data, changes = SETTINGS[name]
    X, y = data()
    w = problems.weights(len(X))
    ours, theirs = both(kind, **parameters(changes))
    with quiet():
        ours.fit(X, y, sample_weight=w)
        theirs.fit(X, y, sample_weight=w)
    assert_same(ours, theirs, X, y, sample_weight=w)


@pytest.mark.parametrize("name", ["binary", "multilabel", "regression", "poisson", "sgd, invscaling",
                                  "early stopping", "early stopping, regression", "stops by tol"])
def test_warm_start(name):
    """A second fit goes on from the weights and the best score, with a fresh optimizer."""
    kind, data, changes = SETTINGS[name]
    X, y = data()
    ours, theirs = both(kind, **parameters(changes), warm_start=True)
    for max_iter in (5, 8, 3):
        for est in (ours, theirs):
            with quiet():
                est.set_params(max_iter=max_iter).fit(X, y)
        assert_same(ours, theirs, X, y)


def test_warm_start_with_more_samples_and_another_learning_rate():
    X, y = problems.three_classes()
    ours, theirs = both("Classifier", **BASE, warm_start=True)
    for est in (ours, theirs):
        with quiet():
            est.fit(X[:60], y[:60])
            est.set_params(learning_rate_init=0.05, alpha=1.0, batch_size=20).fit(X, y)
    assert_same(ours, theirs, X, y)


@pytest.mark.parametrize("kind, data", [("Classifier", problems.letters), ("Regressor", problems.several_targets)])
def test_fit_again_starts_anew(kind, data):
    """Without warm_start nothing of the first fit is left, but a RandomState is further on."""
    X, y = data()
    ours, theirs = both(kind, **BASE)
    for est in (ours, theirs):
        with quiet():
            est.set_params(random_state=np.random.RandomState(1)).fit(X[:40], y[:40]).fit(X, y)
    assert_same(ours, theirs, X, y)


@pytest.mark.parametrize("name", ["binary", "letters as objects", "multilabel", "regression", "several targets",
                                  "poisson", "sgd", "sgd, invscaling", "sgd, adaptive", "not shuffled",
                                  "large penalty"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_partial_fit(name, weighted):
    """Calls with 50, 30 and 100 samples: the optimizer goes on, the seed starts anew in each call."""
    kind, data, changes = SETTINGS[name]
    X, y = data()
    w = problems.weights(len(X))
    pair = both(kind, **parameters({"batch_size": 20} | changes))
    classes = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
    first = {"classes": classes} if kind == "Classifier" else {}
    for rows in (slice(0, 50), slice(50, 80), slice(0, 100), slice(0, 100)):
        for est in pair:
            extra = {"sample_weight": w[rows]} if weighted else {}
            with quiet():
                assert est.partial_fit(X[rows], y[rows], **extra, **first) is est
        first = {}
        assert_same(*pair, X, y)


def test_partial_fit_with_classes_not_yet_seen():
    pair = both("Classifier", random_state=0)
    for est in pair:
        est.partial_fit([[1.0], [2.0], [3.0]], ["a", "b", "c"], classes=["a", "b", "c", "d"])
        est.partial_fit([[4.0]], ["d"]).partial_fit([[2.0], [4.0]], ["b", "d"], classes=["a", "b", "c", "d"])
    assert_same(*pair, [[1.0], [4.0]], ["a", "d"])


def test_partial_fit_never_stops_counting():
    """The count of epochs without improvement runs on over the calls, and n_iter_ stays 1."""
    X, y = problems.regression()
    pair = both("Regressor", **BASE, **SGD, learning_rate="adaptive", tol=1e9, n_iter_no_change=2)
    for _ in range(9):
        for est in pair:
            est.partial_fit(X, y)
    assert_same(*pair, X, y)


@pytest.mark.parametrize("kind, data", [("Classifier", problems.binary), ("Regressor", problems.regression)])
def test_partial_fit_after_fit_and_fit_after_partial_fit(kind, data):
    X, y = data()
    pair = both(kind, **BASE)
    for est in pair:
        with quiet():
            est.fit(X, y).partial_fit(X[:30], y[:30])
    assert_same(*pair, X, y)
    for est in pair:
        with quiet():
            est.fit(X[30:], y[30:])
    assert_same(*pair, X, y)


@pytest.mark.parametrize("kind, data", [
    ("Classifier", problems.digits), ("Classifier", problems.binary), ("Classifier", problems.multilabel),
    ("Regressor", problems.regression), ("Regressor", problems.several_targets), ("Regressor", problems.counts),
    ("Regressor", lambda: [a.astype(np.float32) for a in problems.several_targets()]),
])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_float32(kind, data, solver, weighted):
    """The types too: a loss of float32 only where y is of float32, weights always."""
    X, y = data()
    X = X.astype(np.float32)
    w = problems.weights(len(X)) if weighted else None
    pair = both(kind, **BASE | {"max_iter": 20, "solver": solver})
    for est in pair:
        with quiet():
            est.fit(X, y, sample_weight=w)
    assert_same(*pair, X, y, tol=1e-3)
    assert pair[0].coefs_[0].dtype == np.float32


@pytest.mark.parametrize("kind, data", [("Classifier", problems.digits), ("Regressor", problems.regression)])
def test_lbfgs_makes_float64_of_float32(kind, data):
    """SciPy's L-BFGS works in float64, and its weights stay so."""
    X, y = data()
    for est in both(kind, solver="lbfgs", max_iter=5, random_state=0):
        with quiet():
            est.fit(X.astype(np.float32), y)
        assert {a.dtype for a in est.coefs_ + est.intercepts_} == {np.dtype(np.float64)}


@pytest.mark.parametrize("fitted", [np.float32, np.float64])
@pytest.mark.parametrize("given", [np.float16, np.float32, np.float64, np.int8, np.int64, bool])
def test_types_of_predictions(fitted, given):
    """They are those of NumPy's product of X and the weights."""
    X, y = problems.several_targets()
    pair = both("Regressor", **BASE)
    for est in pair:
        with quiet():
            est.fit(X.astype(fitted), y)
    X = (3 * X).astype(given)
    ours, theirs = pair[0].predict(X), pair[1].predict(X)
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind, data, changes", [
    ("Classifier", problems.digits, {}),
    ("Classifier", problems.binary, {"activation": "tanh"}),
    ("Classifier", problems.multilabel, {"activation": "logistic", "alpha": 1.0}),
    ("Regressor", problems.several_targets, {"alpha": 0.1}),
    ("Regressor", problems.counts, {"loss": "poisson"}),
])
def test_lbfgs(kind, data, changes):
    """Another L-BFGS than SciPy's goes another way: as good a loss and score, not the same weights."""
    X, y = data()
    pair = both(kind, hidden_layer_sizes=10, solver="lbfgs", max_iter=400, random_state=0, **changes)
    for est in pair:
        with quiet():
            est.fit(X, y)
    ours, theirs = pair
    assert ours.score(X, y) >= theirs.score(X, y) - 0.01
    for name in ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
        assert not hasattr(ours, name)
    assert 1 <= ours.n_iter_ <= 400 and ours.t_ == theirs.t_ == 0
    assert np.isfinite(ours.loss_)


def test_lbfgs_starts_from_the_same_weights():
    """One iteration and one evaluation: the loss is that of the first weights."""
    X, y = problems.digits()
    losses = []
    for est in both("Classifier", solver="lbfgs", max_iter=1, max_fun=1, random_state=0):
        with quiet():
            losses.append(est.fit(X, y).loss_)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_feature_names():
    X, y = problems.regression()
    X = pd.DataFrame(X, columns=list("abcde"))
    pair = both("Regressor", **BASE)
    for est in pair:
        with quiet():
            est.fit(X, pd.Series(y))
    assert_same(*pair, X, y)
    assert list(pair[0].feature_names_in_) == list("abcde")


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_signatures(kind):
    """Every public method and parameter is there, in its place; what we add is by keyword only."""
    ours, theirs = getattr(OURS, kind), getattr(THEIRS, kind)
    for name in ["__init__"] + [n for n in dir(theirs) if not n.startswith("_")]:
        if not callable(getattr(theirs, name)):
            continue
        mine = inspect.signature(getattr(ours, name)).parameters
        for place, (parameter, wanted) in enumerate(inspect.signature(getattr(theirs, name)).parameters.items()):
            assert (mine[parameter].kind, mine[parameter].default) == (wanted.kind, wanted.default), name
            if wanted.kind is wanted.POSITIONAL_OR_KEYWORD:
                assert list(mine)[place] == parameter, name
        added = mine.keys() - inspect.signature(getattr(theirs, name)).parameters.keys()
        assert all(mine[p].kind in (mine[p].KEYWORD_ONLY, mine[p].VAR_KEYWORD) for p in added), name
    assert set(theirs().get_params()) <= set(ours().get_params())
    assert repr(ours(alpha=0.5)) == repr(theirs(alpha=0.5))
