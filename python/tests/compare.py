"""Our estimators beside scikit-learn's: what a fit leaves behind, and what a call says."""

import contextlib
import io
import warnings
from types import SimpleNamespace

import numpy as np
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal

import steepest

OURS = SimpleNamespace(Classifier=steepest.MLPClassifier, Regressor=steepest.MLPRegressor)
THEIRS = SimpleNamespace(
    Classifier=sklearn.neural_network.MLPClassifier, Regressor=sklearn.neural_network.MLPRegressor
)

ATTRIBUTES = (
    "coefs_ intercepts_ loss_ loss_curve_ best_loss_ n_iter_ t_ validation_scores_ best_validation_score_ "
    "out_activation_ n_layers_ n_outputs_ classes_ n_features_in_ feature_names_in_"
).split()


@contextlib.contextmanager
def quiet():
    """No warnings: whether they are the same is the matter of test_messages.py."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def both(kind, /, **parameters):
    """Our estimator and theirs with the same parameters; `kind` is "Classifier" or "Regressor"."""
    return getattr(OURS, kind)(**parameters), getattr(THEIRS, kind)(**parameters)


def results(est, X, y, sample_weight=None):
    """The attributes of a fitted estimator and what it predicts for X, by name."""
    with quiet():
        found = {name: getattr(est, name) for name in ATTRIBUTES if hasattr(est, name)}
        found["predict"] = est.predict(X)
        for method in ("predict_proba", "predict_log_proba"):
            if hasattr(est, method):
                found[method] = getattr(est, method)(X)
        found["score"] = est.score(X, y, sample_weight=sample_weight)
    return found


def assert_same_value(ours, theirs, tol, name):
    """Same type, dtype and shape; numbers within rtol = atol = tol, everything else exactly."""
    assert type(ours) is type(theirs), f"{name}: {type(ours)} is not {type(theirs)}"
    if isinstance(theirs, list):
        assert len(ours) == len(theirs), name
        for i, (a, b) in enumerate(zip(ours, theirs)):
            assert_same_value(a, b, tol, f"{name}[{i}]")
    elif isinstance(theirs, (np.ndarray, np.floating, float)):
        a, b = np.asarray(ours), np.asarray(theirs)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        if b.dtype.kind == "f":
            assert_allclose(a, b, rtol=tol, atol=tol, err_msg=name)
        else:
            assert_array_equal(a, b, err_msg=name)
    else:
        assert ours == theirs, name


def assert_same(ours, theirs, X, y, tol=1e-6, sample_weight=None):
    """Two fitted estimators have the same attributes and predict the same."""
    a, b = results(ours, X, y, sample_weight), results(theirs, X, y, sample_weight)
    assert a.keys() == b.keys()
    for name in b:
        assert_same_value(a[name], b[name], tol, name)


def outcome(action, library):
    """What `action(library)` says: its exception, its warnings, its standard output.

    NumPy's RuntimeWarnings (overflow, division by zero) are left out: they tell how the arithmetic is done.
    """
    error, out = None, io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(out):
        warnings.simplefilter("always")
        try:
            action(library)
        except Exception as e:
            error = e
    said = [(w.category, str(w.message)) for w in caught if not issubclass(w.category, RuntimeWarning)]
    return SimpleNamespace(error=type(error), text=str(error), warnings=said, stdout=out.getvalue())
