"""The same exceptions, warnings and printed lines as scikit-learn, word for word."""

import os
import re
import signal
import threading

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

import problems
from compare import OURS, THEIRS, outcome, quiet

X, Y = problems.binary()
X3, Y3 = problems.three_classes()
XR, YR = problems.regression()
NAN, INF = float("nan"), float("inf")


def with_value(a, value):
    """A copy of `a` with one element changed."""
    a = np.array(a, dtype=float)
    a.flat[3] = value
    return a


BAD_PARAMETERS = {
    "hidden_layer_sizes": [0, -1, 2.5, (3, 0), [4, -2], "wide", None, (2.5,), ("a",)],
    "alpha": [-1e-3, -INF, "0", None, NAN, [1]],
    "batch_size": [0, -5, 2.5, "all", None],
    "learning_rate_init": [0, 0.0, -1, "x", None, NAN],
    "power_t": [-0.1, "x", None],
    "max_iter": [0, -1, 1.5, "x", None],
    "shuffle": ["yes", None, 2],
    "random_state": [-1, 2**32, 1.5, "x", np.random.default_rng(0)],
    "tol": [-1e-9, "x", None, NAN],
    "verbose": [-1, "yes", 1.5, None],
    "warm_start": ["yes", None, 2],
    "momentum": [-0.1, 1.1, "x", None],
    "nesterovs_momentum": ["yes", None, 2],
    "early_stopping": ["yes", None, 2],
    "validation_fraction": [-0.1, 1.0, 1, 2, "x", None],
    "beta_1": [-0.1, 1, 1.0, "x", None],
    "beta_2": [-0.1, 1, 1.0, "x", None],
    "epsilon": [0, 0.0, -1, "x", None],
    "n_iter_no_change": [0, -1, 1.5, "x", None, -INF],
    "max_fun": [0, -1, 1.5, "x", None],
}


def in_order(text):
    """Sets of choices, "{'tanh', 'relu'}", are printed in any order: here in that of the alphabet."""
    return re.sub(r"\{([^{}]*)\}", lambda m: "{" + ", ".join(sorted(m[1].split(", "))) + "}", text)


def assert_same_outcome(action):
    ours, theirs = outcome(action, OURS), outcome(action, THEIRS)
    assert ours.error is theirs.error, (ours.text, theirs.text)
    assert in_order(ours.text) == in_order(theirs.text)
    assert ours.warnings == theirs.warnings
    assert ours.stdout == theirs.stdout
    return theirs


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("name, value", [(n, v) for n, values in BAD_PARAMETERS.items() for v in values])
def test_bad_parameter(kind, name, value):
    """`fit` and `partial_fit` refuse it; the constructor and set_params take anything."""
    for method in ("fit", "partial_fit"):
        said = assert_same_outcome(lambda lib: getattr(getattr(lib, kind)(**{name: value}), method)(X, Y))
        assert said.error is not type(None)
    with quiet():
        getattr(OURS, kind)().set_params(**{name: value})


@pytest.mark.parametrize("name", ["activation", "solver", "learning_rate", "loss"])
@pytest.mark.parametrize("value", ["newton", None, 3])
def test_bad_choice(name, value):
    """Parameters for which we know more words than scikit-learn: the same but for the list of them."""
    def action(lib):
        lib.Regressor(**{name: value}).fit(XR, YR)

    ours, theirs = outcome(action, OURS), outcome(action, THEIRS)
    assert ours.error is theirs.error
    assert ours.text.split("{")[0] == theirs.text.split("{")[0]
    assert ours.text.split("}")[1] == theirs.text.split("}")[1]


FITS = {
    # X
    "NaN in X": lambda lib: lib.Classifier().fit(with_value(X, NAN), Y),
    "infinity in X": lambda lib: lib.Regressor().fit(with_value(X, INF), Y),
    "infinity in X of float32": lambda lib: lib.Regressor().fit(np.float32(with_value(X, INF)), Y),
    "X of one dimension": lambda lib: lib.Classifier().fit(X[:, 0], Y),
    "X of three dimensions": lambda lib: lib.Classifier().fit(X[None], Y),
    "X without rows": lambda lib: lib.Classifier().fit(X[:0], Y[:0]),
    "X without columns": lambda lib: lib.Regressor().fit(X[:, :0], Y),
    "X of words": lambda lib: lib.Classifier().fit([["a", "b"]] * 10, [0, 1] * 5),
    "X of complex numbers": lambda lib: lib.Classifier().fit(X + 1j, Y),
    "X as None": lambda lib: lib.Classifier().fit(None, Y),
    "X as a scalar": lambda lib: lib.Classifier().fit(3.0, Y),
    "X ragged": lambda lib: lib.Classifier().fit([[1, 2], [3]], [0, 1]),
    "X as COO, NaN": lambda lib: lib.Classifier().fit(sp.coo_matrix(with_value(X, NAN)), Y),
    "X with missing values of pandas": lambda lib: lib.Regressor().fit(pd.DataFrame({"a": [1, None, 2]}), [1, 2, 3]),
    "more rows than labels": lambda lib: lib.Classifier().fit(X, Y[:-1]),
    # y
    "y as None": lambda lib: lib.Classifier().fit(X, None),
    "y as None, regression": lambda lib: lib.Regressor().fit(X, None),
    "NaN in y, classes": lambda lib: lib.Classifier().fit(X, with_value(Y, NAN)),
    "NaN in y, regression": lambda lib: lib.Regressor().fit(X, with_value(Y, NAN)),
    "infinity in y": lambda lib: lib.Regressor().fit(X, with_value(Y, INF)),
    "continuous y for classes": lambda lib: lib.Classifier().fit(XR, YR),
    "y of objects, regression": lambda lib: lib.Regressor(max_iter=2).fit(X, Y.astype(object)),
    "y as a column": lambda lib: lib.Classifier(max_iter=2).fit(X, Y[:, None]),
    "y as a column, regression": lambda lib: lib.Regressor(max_iter=2).fit(XR, YR[:, None]),
    "y of three dimensions": lambda lib: lib.Regressor().fit(XR, YR[:, None, None]),
    "y of several classes and outputs": lambda lib: lib.Classifier().fit(X3, np.stack([Y3, Y3], axis=1)),
    "y of mixed types": lambda lib: lib.Classifier().fit(X[:4], np.array([0, "a", 1, "b"], dtype=object)),
    "y as sparse labels": lambda lib: lib.Classifier(max_iter=2).fit(
        problems.multilabel()[0], sp.csr_matrix(problems.multilabel()[1])),
    "y as sparse numbers": lambda lib: lib.Regressor(max_iter=2).fit(XR, sp.csr_matrix(YR[:, None])),
    "one class": lambda lib: lib.Classifier(max_iter=2).fit(X, np.zeros(len(X), int)),
    "one sample": lambda lib: lib.Classifier(max_iter=2).fit(X[:1], Y[:1]),
    "poisson, negative y": lambda lib: lib.Regressor(loss="poisson", max_iter=3, random_state=0).fit(XR, YR),
    # sample_weight
    "weights, too few": lambda lib: lib.Classifier().fit(X, Y, sample_weight=np.ones(3)),
    "weights, two dimensions": lambda lib: lib.Classifier().fit(X, Y, sample_weight=np.ones((len(X), 1))),
    "weights, NaN": lambda lib: lib.Regressor().fit(XR, YR, sample_weight=with_value(np.ones(len(XR)), NAN)),
    "weights, a word": lambda lib: lib.Regressor().fit(XR, YR, sample_weight="balanced"),
    "weights, a scalar": lambda lib: lib.Regressor(max_iter=2).fit(XR, YR, sample_weight=2.0),
    "weights, all 0": lambda lib: lib.Classifier(max_iter=2).fit(X, Y, sample_weight=np.zeros(len(X))),
    "weights, a batch of 0": lambda lib: lib.Classifier(max_iter=2, batch_size=1).fit(
        X, Y, sample_weight=problems.weights(len(X))),
    "weights, all 0, lbfgs": lambda lib: lib.Regressor(max_iter=2, solver="lbfgs").fit(
        XR, YR, sample_weight=np.zeros(len(XR))),
    # the course of a fit
    "not converged": lambda lib: lib.Classifier(max_iter=3).fit(X, Y),
    "stopped in the last epoch": lambda lib: lib.Regressor(max_iter=3, n_iter_no_change=1, tol=1e9).fit(XR, YR),
    "batches clipped": lambda lib: lib.Classifier(max_iter=2, batch_size=1000).fit(X, Y),
    "batches clipped, partial_fit": lambda lib: lib.Regressor(batch_size=1000).partial_fit(XR, YR),
    "batches clipped by the split": lambda lib: lib.Regressor(batch_size=len(XR), early_stopping=True,
                                                              max_iter=2).fit(XR, YR),
    "validation set too small": lambda lib: lib.Regressor(early_stopping=True).fit(XR[:5], YR[:5]),
    "validation set of nothing": lambda lib: lib.Regressor(early_stopping=True, validation_fraction=0).fit(XR, YR),
    "validation set of all": lambda lib: lib.Regressor(early_stopping=True, validation_fraction=0.999).fit(XR, YR),
    "class of one member": lambda lib: lib.Classifier(early_stopping=True).fit(X[:4], [0, 0, 0, 1]),
    "class of one member of three": lambda lib: lib.Classifier(early_stopping=True, max_iter=2).fit(  # not stratified
        X[:20], [0] * 9 + [1] * 10 + [2]),
    "validation set without a class": lambda lib: lib.Classifier(early_stopping=True, validation_fraction=0.01,
                                                                 max_iter=2).fit(X3, Y3),
    "non-finite weights": lambda lib: lib.Regressor(random_state=0).fit(
        np.finfo(float).max * np.random.RandomState(0).uniform(size=(10, 2)), np.arange(10)),
    "diverges": lambda lib: lib.Regressor(solver="sgd", learning_rate_init=1e6, random_state=0).fit(XR, YR),
    "diverges, early stopping": lambda lib: lib.Regressor(
        solver="sgd", activation="identity", learning_rate_init=1, early_stopping=True, max_iter=20, random_state=0,
    ).fit(*problems.iris()),
    "lbfgs, one iteration": lambda lib: lib.Classifier(solver="lbfgs", max_iter=1, random_state=0).fit(X, Y),
    "lbfgs, max_iter": lambda lib: lib.Classifier(solver="lbfgs", max_iter=2, random_state=0).fit(X, Y),
    "lbfgs, early stopping means nothing": lambda lib: lib.Regressor(
        solver="lbfgs", early_stopping=True, tol=100, random_state=0).fit(XR[:5], YR[:5]),
    # partial_fit
    "partial_fit, early stopping": lambda lib: lib.Regressor(early_stopping=True).partial_fit(XR, YR),
    "partial_fit, no classes": lambda lib: lib.Classifier().partial_fit(X, Y),
    "partial_fit, classes of y missing": lambda lib: lib.Classifier().partial_fit(X3, Y3, classes=[0, 1]),
    "partial_fit, one class": lambda lib: lib.Classifier().partial_fit(X, np.zeros(len(X), int), classes=[0]),
    "partial_fit, other classes": lambda lib: lib.Classifier().partial_fit(X, Y, classes=[0, 1]).partial_fit(
        X, Y, classes=[0, 1, 2]),
    "partial_fit, new class": lambda lib: lib.Classifier().partial_fit(X, Y, classes=[0, 1]).partial_fit(X, Y + 1),
    "partial_fit, other columns": lambda lib: lib.Regressor().partial_fit(XR, YR).partial_fit(XR[:, :3], YR),
    "partial_fit, lbfgs": lambda lib: lib.Classifier(solver="lbfgs").partial_fit,
    # warm_start
    "warm start, other classes": lambda lib: lib.Classifier(warm_start=True, max_iter=2).fit(X3, Y3).fit(X3, Y3 + 1),
    "warm start, fewer classes": lambda lib: lib.Classifier(warm_start=True, max_iter=2).fit(X3, Y3).fit(
        X3[Y3 < 2], Y3[Y3 < 2]),
    "warm start, other columns": lambda lib: lib.Regressor(warm_start=True, max_iter=2).fit(XR, YR).fit(XR[:, :3], YR),
    "warm start, other names": lambda lib: lib.Regressor(warm_start=True, max_iter=2).fit(
        pd.DataFrame(XR, columns=list("abcde")), YR).fit(pd.DataFrame(XR, columns=list("abcdf")), YR),
    # constructor
    "unknown parameter": lambda lib: lib.Classifier(momentun=0.9),
    "solver by place": lambda lib: lib.Classifier((5,), "relu", "adam"),
}


@pytest.mark.parametrize("name", FITS)
def test_fit(name):
    assert_same_outcome(FITS[name])


@pytest.mark.parametrize("action", [
    lambda lib: lib.Regressor().fit(X, np.where(Y, "a", "b")),
    lambda lib: lib.Regressor().partial_fit(XR, YR).partial_fit(XR, np.stack([YR, YR], axis=1)),
], ids=["y of words", "partial_fit with more outputs"])
def test_where_scikit_learn_has_no_words(action):
    """NumPy's own complaint from within the arithmetic; ours has to be an error of the same kind, in better words."""
    ours, theirs = outcome(action, OURS), outcome(action, THEIRS)
    assert issubclass(theirs.error, (TypeError, ValueError))
    assert issubclass(ours.error, (TypeError, ValueError)) and ours.text


FRAME = pd.DataFrame(XR, columns=list("abcde"))
USES = {
    "other columns": lambda est: est.predict(XR[:, :3]),
    "one dimension": lambda est: est.predict(XR[0]),
    "no rows": lambda est: est.predict(XR[:0]),
    "NaN": lambda est: est.predict(with_value(XR, NAN)),
    "no names": lambda est: est.predict(XR),
    "other names": lambda est: est.predict(FRAME.rename(columns={"b": "x"})),
    "other order": lambda est: est.predict(FRAME[list("edcba")]),
    "fewer names": lambda est: est.predict(FRAME[list("abc")]),
    "more names": lambda est: est.predict(FRAME.assign(f=1)),
    "words": lambda est: est.predict([list("abcde")]),
    "score, other rows": lambda est: est.score(FRAME, YR[:5]),
    "score, NaN": lambda est: est.score(FRAME, with_value(YR, NAN)),
    "sparse COO": lambda est: est.predict(sp.coo_matrix(XR)),
}


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("names", [True, False], ids=["names", "no names"])
def test_use(name, kind, names):
    def action(lib):
        target = YR if kind == "Regressor" else (YR > 0).astype(int)
        est = getattr(lib, kind)(max_iter=2, random_state=0)
        with quiet():
            est.fit(FRAME if names else XR, target)
        USES[name](est)

    assert_same_outcome(action)


@pytest.mark.parametrize("kind, method", [
    ("Classifier", "predict"), ("Classifier", "predict_proba"), ("Classifier", "predict_log_proba"),
    ("Regressor", "predict"), ("Classifier", "score"), ("Regressor", "score"),
])
def test_before_fit(kind, method):
    arguments = (X, Y) if method == "score" else (X,)
    said = assert_same_outcome(lambda lib: getattr(getattr(lib, kind)(), method)(*arguments))
    assert said.error.__name__ == "NotFittedError"


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
def test_partial_fit_is_there_for_stochastic_solvers(solver):
    """scikit-learn's regressor forgets to call its check, so it always has the method."""
    for lib in (OURS, THEIRS):
        assert hasattr(lib.Classifier(solver=solver), "partial_fit") == (solver != "lbfgs")
    assert hasattr(OURS.Regressor(solver=solver), "partial_fit") == hasattr(THEIRS.Regressor(solver=solver), "partial_fit")


def test_lbfgs_max_fun():
    """SciPy's words for evaluations that ran out; after how many iterations may differ."""
    said = []
    for lib in (OURS, THEIRS):
        with pytest.warns(ConvergenceWarning, match="EVALUATIONS EXCEEDS LIMIT") as caught:
            est = lib.Classifier(solver="lbfgs", max_fun=3, random_state=0).fit(X, Y)
        assert est.n_iter_ <= 3
        said.append([re.sub(r"\d+", "N", str(w.message)) for w in caught])
    assert said[0] == said[1]


SPOKEN = {
    # name: (estimator, parameters)
    "adam": ("Classifier", {"max_iter": 4}),
    "a number": ("Regressor", {"max_iter": 3, "verbose": 10}),
    "zero says nothing": ("Regressor", {"max_iter": 3, "verbose": 0}),
    "stops": ("Regressor", {"tol": 5.0, "n_iter_no_change": 2, "max_iter": 30}),
    "stops, tol of many digits": ("Classifier", {"tol": 0.123456789, "n_iter_no_change": 1, "max_iter": 30}),
    "early stopping": ("Classifier", {"early_stopping": True, "max_iter": 6}),
    "early stopping, stops": ("Regressor", {"early_stopping": True, "tol": 0.5, "n_iter_no_change": 2, "max_iter": 30}),
    "early stopping, adaptive": ("Regressor", {"early_stopping": True, "solver": "sgd", "learning_rate": "adaptive",
                                               "tol": 0.5, "n_iter_no_change": 1, "max_iter": 60}),
    "adaptive": ("Regressor", {"solver": "sgd", "learning_rate": "adaptive", "tol": 5.0, "n_iter_no_change": 1,
                               "max_iter": 60}),
}


@pytest.mark.parametrize("name", SPOKEN)
def test_verbose(name):
    kind, changes = SPOKEN[name]
    data = (X, Y) if kind == "Classifier" else (XR, YR)
    said = assert_same_outcome(
        lambda lib: getattr(lib, kind)(**{"verbose": True, "hidden_layer_sizes": 5, "random_state": 0} | changes).fit(*data)
    )
    assert bool(said.stdout) == bool(changes.get("verbose", True))


def test_verbose_partial_fit():
    """Every call prints as iteration 1; that it would stop is said again in each further call."""
    def action(lib):
        est = lib.Regressor(solver="sgd", verbose=True, tol=1e9, n_iter_no_change=2, random_state=0)
        for _ in range(6):
            est.partial_fit(XR, YR)

    assert assert_same_outcome(action).stdout.count("Stopping.") == 3


@pytest.mark.skipif(os.name == "nt", reason="the test sends SIGINT")
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupt(solver, early_stopping):
    """Ctrl-C ends a fit of a million epochs, in time, with a warning and a usable estimator."""
    est = OURS.Classifier(solver=solver, early_stopping=early_stopping, max_iter=10**6, tol=0, n_iter_no_change=np.inf)
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.warns(UserWarning, match="^Training interrupted by user.$"):
            est.fit(X, Y)
    finally:
        timer.cancel()
    assert 0 < est.n_iter_ < 10**6 and abs(len(est.loss_curve_) - est.n_iter_) <= 1
    assert est.score(X, Y) > 0.6
