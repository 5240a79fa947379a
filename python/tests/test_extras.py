"""What we have beyond scikit-learn: by keyword only, off by default, and without its training loop."""

import pickle
from itertools import product

import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
from sklearn.utils.class_weight import compute_sample_weight

import problems
from compare import OURS, THEIRS, assert_same, quiet

pytestmark = [pytest.mark.steepest_only, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

SMALL = {"hidden_layer_sizes": (12,), "max_iter": 15, "random_state": 0, "learning_rate_init": 0.01}

# The names and defaults of the extras; the rest of the file asks here what they are.
COMMON = {"dropout": 0.0, "batch_norm": False, "weight_decay": 0.01, "n_jobs": None, "dtype": None, "callbacks": None}
CLASSIFIER = COMMON | {"loss": "log_loss", "class_weight": None, "label_smoothing": 0.0}
SCHEDULES = ["cosine", "one-cycle", "step", "exponential"]


def extras(kind):
    return CLASSIFIER if kind == "Classifier" else COMMON


BOTH_KINDS = pytest.mark.parametrize("kind, data", [("Classifier", problems.letters), ("Regressor", problems.several_targets)])


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_defaults(kind):
    ours, theirs = getattr(OURS, kind)().get_params(), getattr(THEIRS, kind)().get_params()
    assert {name: ours[name] for name in ours.keys() - theirs.keys()} == extras(kind)


@BOTH_KINDS
def test_off_by_default(kind, data):
    """Given with their defaults, they change no bit."""
    X, y = data()
    plain = getattr(OURS, kind)(**SMALL).fit(X, y)
    assert_same(getattr(OURS, kind)(**SMALL, **extras(kind)).fit(X, y), plain, X, y, tol=0)


@BOTH_KINDS
@pytest.mark.parametrize("changes", [
    {"dropout": 0.3}, {"batch_norm": True}, {"solver": "adamw"}, {"solver": "adamw", "weight_decay": 0.5},
    *({"learning_rate": name} for name in SCHEDULES),
], ids=str)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_each_extra_does_something(kind, data, changes, early_stopping):
    """Another fit than without it, that learns, repeats itself, survives clone and pickle, and goes on."""
    X, y = data()
    base = SMALL | {"max_iter": 60, "early_stopping": early_stopping}
    plain = getattr(OURS, kind)(**base).fit(X, y)
    est = getattr(OURS, kind)(**base | changes).fit(X, y)
    # The best parameters may be from before a step of the learning rate.
    assert early_stopping or not np.allclose(est.coefs_[0], plain.coefs_[0])
    assert est.score(X, y) > (0.5 if kind == "Classifier" else 0.25)
    again = clone(est).fit(X, y)
    copy = pickle.loads(pickle.dumps(est))
    assert_array_equal(again.predict(X), est.predict(X))
    assert_array_equal(copy.predict(X), est.predict(X))
    # Batch normalisation is folded into the weights, so that there is nothing to go on from.
    if not early_stopping and not est.batch_norm:
        assert_array_equal(est.partial_fit(X, y).predict(X), copy.partial_fit(X, y).predict(X))


BAD = [
    ("dropout", -0.1), ("dropout", 1.0), ("dropout", "x"), ("batch_norm", "yes"), ("weight_decay", -1), ("n_jobs", 0),
    ("n_jobs", 1.5), ("dtype", "float16"), ("dtype", int), ("callbacks", 3), ("solver", "AdamW"), ("learning_rate", "cos"),
]
BAD_OF_CLASSIFIERS = [("label_smoothing", -0.1), ("label_smoothing", 1.0), ("class_weight", "even"), ("class_weight", 3)]


@pytest.mark.parametrize("kind, name, value", [
    *(("Classifier", *bad) for bad in BAD + BAD_OF_CLASSIFIERS), *(("Regressor", *bad) for bad in BAD),
])
def test_bad_values(kind, name, value):
    X, y = problems.binary()
    with pytest.raises(ValueError, match=f"'{name}' parameter of MLP{kind} must be"):
        getattr(OURS, kind)(**{name: value}).fit(X, y)


@pytest.mark.parametrize("data", [problems.letters, problems.two_words])
@pytest.mark.parametrize("weights", ["balanced", "dict"])
@pytest.mark.parametrize("with_sample_weight", [False, True])
def test_class_weight(data, weights, with_sample_weight):
    """The same as the sample weights that scikit-learn computes of them."""
    X, y = data()
    X, y = X[20:], np.sort(y)[20:]
    if weights == "dict":
        weights = {label: 1.0 + 2 * i for i, label in enumerate(np.unique(y))}
    w = problems.weights(len(X)) if with_sample_weight else np.ones(len(X))
    est = OURS.Classifier(**SMALL, class_weight=weights).fit(X, y, sample_weight=w if with_sample_weight else None)
    theirs = THEIRS.Classifier(**SMALL).fit(X, y, sample_weight=w * compute_sample_weight(weights, y))
    assert_same(est, theirs, X, y)


def test_label_smoothing():
    """The least sure fit has the most smoothing, and the loss is that of the smoothed labels."""
    X, y = problems.three_classes()
    sure = [OURS.Classifier(**SMALL | {"max_iter": 200}, label_smoothing=s).fit(X, y).predict_proba(X).max(axis=1).mean()
            for s in (0.0, 0.1, 0.5)]
    assert sure[0] > sure[1] > sure[2]


def test_adamw_decays_the_weights_directly():
    """With alpha = 0 and no gradient, each step takes learning_rate * weight_decay of every weight, of no bias."""
    X, y = np.zeros((50, 4)), np.full(50, 3.0)
    fits = [OURS.Regressor(hidden_layer_sizes=(3,), activation="identity", solver="adamw", weight_decay=decay, alpha=0, max_iter=1, random_state=0).fit(X, y)
            for decay in (0.0, 0.5)]
    assert_allclose(fits[1].coefs_[0], fits[0].coefs_[0] * (1 - 0.001 * 0.5), rtol=1e-9)
    assert_array_equal(fits[1].intercepts_[0], fits[0].intercepts_[0])


def test_adamw_without_decay_is_adam():
    X, y = problems.three_classes()
    adamw = OURS.Classifier(**SMALL, solver="adamw", weight_decay=0.0).fit(X, y)
    assert_same(adamw, OURS.Classifier(**SMALL, solver="adam").fit(X, y), X, y, tol=1e-9)


@BOTH_KINDS
def test_validation_data(kind, data):
    """Scored after every epoch in place of a part of the training data, all of which is then learnt from."""
    X, y = data()
    held_out = X[100:], y[100:]
    est = getattr(OURS, kind)(**SMALL | {"max_iter": 30}, early_stopping=True, n_iter_no_change=4)
    est.fit(X[:100], y[:100], validation_data=held_out)
    assert len(est.validation_scores_) == est.n_iter_ and est.t_ == 100 * est.n_iter_
    assert est.best_validation_score_ == max(est.validation_scores_)
    assert est.score(*held_out) == pytest.approx(est.best_validation_score_, abs=1e-9)


@BOTH_KINDS
def test_validation_data_without_early_stopping(kind, data):
    """It is looked at after each epoch, and changes nothing."""
    X, y = data()
    plain = getattr(OURS, kind)(**SMALL).fit(X, y)
    watched = getattr(OURS, kind)(**SMALL).fit(X, y, validation_data=(X, y))
    assert_array_equal(watched.coefs_[0], plain.coefs_[0])
    assert len(watched.validation_scores_) == watched.n_iter_ and plain.validation_scores_ is None
    assert watched.validation_scores_[-1] == pytest.approx(watched.score(X, y), abs=1e-9)


@pytest.mark.parametrize("held_out", [3, (np.ones((4, 2)),), (np.ones((4, 2)), np.ones(3)), (np.ones((4, 9)), np.ones(4))])
def test_bad_validation_data(held_out):
    with pytest.raises(ValueError, match="validation_data"):
        OURS.Regressor(early_stopping=True).fit(*problems.regression(), validation_data=held_out)


@BOTH_KINDS
@pytest.mark.parametrize("changes", [{}, {"solver": "sgd", "early_stopping": True}, {"solver": "lbfgs"}, {"dropout": 0.2}],
                         ids=str)
def test_number_of_threads_changes_no_bit(kind, data, changes):
    X, y = data()
    X, y = np.tile(X, (20, 3)), np.concatenate([y] * 20)
    fits = [getattr(OURS, kind)(**SMALL | {"hidden_layer_sizes": (70, 30), "max_iter": 3} | changes, n_jobs=n).fit(X, y)
            for n in (1, 2, None, -1)]
    for est in fits[1:]:
        assert_same(est, fits[0], X, y, tol=0)


@BOTH_KINDS
@pytest.mark.parametrize("dtype, given", list(product(["float32", "float64"], [np.float32, np.float64])))
def test_dtype(kind, data, dtype, given):
    """The precision of the fit, whatever that of the data; None follows the data."""
    X, y = data()
    est = getattr(OURS, kind)(**SMALL, dtype=dtype).fit(X.astype(given), y)
    assert all(a.dtype == dtype for a in est.coefs_ + est.intercepts_)
    same = getattr(OURS, kind)(**SMALL).fit(X.astype(given).astype(dtype), y)
    for ours, wanted in zip(est.coefs_, same.coefs_):
        assert_allclose(ours, wanted, rtol=1e-3, atol=1e-3)


def test_callbacks_as_a_parameter():
    """Each is called after every epoch with the estimator; True ends the fit."""
    seen = []

    def after_epoch(est):
        seen.append((est.n_iter_, est.loss_))
        return est.n_iter_ == 4

    est = OURS.Classifier(**SMALL, callbacks=[after_epoch]).fit(*problems.binary())
    assert [n for n, _ in seen] == [1, 2, 3, 4] and est.n_iter_ == 4
    assert_allclose([loss for _, loss in seen], est.loss_curve_, rtol=1e-12)


ROUND = [("Classifier", problems.letters), ("Classifier", problems.two_words), ("Classifier", problems.multilabel),
         ("Regressor", problems.regression), ("Regressor", problems.several_targets)]
ROUND_TRIPS = pytest.mark.parametrize("kind, data", ROUND)
STOCHASTIC = pytest.mark.parametrize("solver", ["sgd", "adam"])


def assert_predict_the_same(a, b, X, tol):
    method = "predict_proba" if hasattr(a, "predict_proba") else "predict"
    assert_allclose(getattr(a, method)(X), getattr(b, method)(X), rtol=tol, atol=tol)


@ROUND_TRIPS
@STOCHASTIC
def test_from_scikit_learn(kind, data, solver):
    """The model, the parameters and the optimizer's state: partial_fit goes on as theirs would."""
    X, y = data()
    theirs = getattr(THEIRS, kind)(**SMALL, solver=solver).fit(X, y)
    ours = getattr(OURS, kind).from_sklearn(theirs)
    assert_same(ours, theirs, X, y, tol=1e-12)
    assert theirs.get_params().items() <= ours.get_params().items()
    for _ in range(3):
        ours.partial_fit(X[:60], y[:60])
        theirs.partial_fit(X[:60], y[:60])
    assert_same(ours, theirs, X, y)


@ROUND_TRIPS
@STOCHASTIC
def test_to_scikit_learn(kind, data, solver):
    X, y = data()
    ours = getattr(OURS, kind)(**SMALL, solver=solver).fit(X, y)
    theirs = ours.to_sklearn()
    assert type(theirs) is getattr(sklearn.neural_network, f"MLP{kind}")
    assert_same(theirs, ours, X, y, tol=1e-12)
    for _ in range(3):
        ours.partial_fit(X[:60], y[:60])
        theirs.partial_fit(X[:60], y[:60])
    assert_same(ours, theirs, X, y)


def test_conversions_copy():
    X, y = problems.regression()
    theirs = THEIRS.Regressor(**SMALL).fit(X, y)
    before = theirs.predict(X)
    OURS.Regressor.from_sklearn(theirs).partial_fit(X, y)
    assert_array_equal(theirs.predict(X), before)


def test_conversions_refuse_what_they_cannot_keep():
    X, y = problems.binary()
    with pytest.raises(TypeError, match="MLPRegressor"):
        OURS.Classifier.from_sklearn(THEIRS.Regressor(**SMALL).fit(X, y))
    with pytest.raises(ValueError, match="batch_norm"):
        OURS.Classifier(**SMALL, batch_norm=True).fit(X, y).to_sklearn()


@ROUND_TRIPS
@pytest.mark.parametrize("changes", [{}, {"batch_norm": True}, {"dropout": 0.2, "solver": "adamw"}, {"solver": "lbfgs"}], ids=str)
def test_save_and_load(kind, data, changes, tmp_path):
    """A file of ours, not a pickle: as a path or as a string."""
    X, y = data()
    est = getattr(OURS, kind)(**SMALL | changes).fit(X, y)
    est.save(tmp_path / "model.steepest")
    for path in (tmp_path / "model.steepest", str(tmp_path / "model.steepest")):
        loaded = getattr(OURS, kind).load(path)
        assert_predict_the_same(loaded, est, X, 1e-12)
        assert_array_equal(loaded.predict(X), est.predict(X))


def test_loading_what_is_no_model(tmp_path):
    (tmp_path / "broken").write_bytes(b"not a model")
    with pytest.raises(ValueError, match="broken"):
        OURS.Classifier.load(tmp_path / "broken")
    with pytest.raises(FileNotFoundError):
        OURS.Classifier.load(tmp_path / "missing")
    with pytest.raises(sklearn.exceptions.NotFittedError):
        OURS.Classifier().save(tmp_path / "unfitted")


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs", "adamw"])
@BOTH_KINDS
def test_scikit_learns_training_is_never_used(kind, data, solver, monkeypatch):
    """Its loop, its arithmetic and its optimizers all raise; ours does not notice."""
    def never(*args, **kwargs):
        raise AssertionError("scikit-learn's own training was called")

    loop = "_fit _fit_stochastic _fit_lbfgs _backprop _forward_pass _compute_loss_grad _loss_grad_lbfgs".split()
    for name in loop:
        monkeypatch.setattr(BaseMultilayerPerceptron, name, never)
    for name in ("SGDOptimizer", "AdamOptimizer"):
        monkeypatch.setattr(f"sklearn.neural_network._stochastic_optimizers.{name}.update_params", never)
    X, y = data()
    est = getattr(OURS, kind)(**SMALL, solver=solver).fit(X, y)
    est.predict(X)
    est.score(X, y)
    if solver != "lbfgs":
        est.partial_fit(X, y)
        with quiet():
            est.set_params(early_stopping=True).fit(X, y)
    with pytest.raises(AssertionError, match="training was called"):
        getattr(THEIRS, kind)(**SMALL).fit(X, y)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_partial_fit_goes_on_with_a_solver_that_remembers_less(momentum):
    X = np.random.RandomState(0).normal(size=(60, 5))
    y = (X[:, 0] > 0).astype(int)
    classifier = OURS.Classifier((7,), random_state=0).partial_fit(X, y, classes=[0, 1])
    before = classifier.coefs_[0].copy()
    classifier.set_params(solver="sgd", momentum=momentum).partial_fit(X, y)
    assert np.isfinite(classifier.coefs_[0]).all() and (classifier.coefs_[0] != before).any()
