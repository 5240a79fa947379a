"""Our estimators among the tools people use them with: pipelines, searches, pickles, pandas, sparse matrices."""

import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingRegressor, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score, learning_curve
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import problems
from compare import OURS, THEIRS, assert_same, both, quiet

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (6,), "max_iter": 15, "random_state": 0, "learning_rate_init": 0.01}
KINDS = pytest.mark.parametrize("kind, data", [
    ("Classifier", problems.letters), ("Classifier", problems.multilabel), ("Regressor", problems.several_targets),
])


def test_pipeline():
    X, y = problems.digits()
    scores = []
    for lib in (OURS, THEIRS):
        pipe = make_pipeline(StandardScaler(), lib.Classifier(**SMALL)).fit(X[:200], y[:200])
        scores.append(pipe.score(X[200:], y[200:]))
    assert scores[0] == pytest.approx(scores[1], abs=1e-9)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search(n_jobs):
    X, y = problems.three_classes()
    grid = {"mlp__alpha": [1e-4, 1.0], "mlp__hidden_layer_sizes": [(3,), (8, 4)]}
    searches = []
    for lib in (OURS, THEIRS):
        pipe = Pipeline([("scale", StandardScaler()), ("mlp", lib.Classifier(**SMALL))])
        searches.append(GridSearchCV(pipe, grid, cv=3, n_jobs=n_jobs).fit(X, y))
    ours, theirs = searches
    assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=1e-9)
    assert ours.best_params_ == theirs.best_params_
    assert_array_equal(ours.predict(X), theirs.predict(X))


def test_cross_val_score():
    X, y = problems.regression()
    scores = [cross_val_score(lib.Regressor(**SMALL), X, y, cv=4, n_jobs=2) for lib in (OURS, THEIRS)]
    assert_allclose(*scores, rtol=1e-6, atol=1e-6)


def test_other_meta_estimators():
    X, y = problems.binary()
    for lib in (OURS, THEIRS):
        assert lib.Classifier(**SMALL).fit(X, y).score(X, y) > 0.5
    mine, other = both("Classifier", **SMALL)
    votes = VotingClassifier([("ours", mine), ("theirs", other)], voting="soft").fit(X, y)
    assert_allclose(votes.predict_proba(X), other.fit(X, y).predict_proba(X), rtol=1e-6, atol=1e-6)
    assert CalibratedClassifierCV(OURS.Classifier(**SMALL), cv=2).fit(X, y).predict_proba(X).shape == (len(X), 2)
    assert BaggingRegressor(OURS.Regressor(**SMALL), n_estimators=2, random_state=0).fit(X, y).predict(X).shape == y.shape
    assert permutation_importance(votes, X, y, n_repeats=2, random_state=0).importances.shape == (6, 2)
    assert len(learning_curve(OURS.Classifier(**SMALL), X, y, train_sizes=[30, 60], cv=2)[1]) == 2


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_clone_and_parameters(kind):
    est = getattr(OURS, kind)(hidden_layer_sizes=(3, 2), alpha=0.5, random_state=1)
    twin = clone(est)
    assert twin is not est and repr(twin) == repr(est)
    assert twin.get_params().keys() == est.get_params().keys()
    assert twin.get_params()["hidden_layer_sizes"] == (3, 2)
    assert getattr(OURS, kind)(**est.get_params()).get_params()["alpha"] == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'momentun' for estimator"):
        est.set_params(momentun=1)
    assert is_classifier(est) == (kind == "Classifier") and is_regressor(est) == (kind == "Regressor")
    assert type(est).__name__ in est._repr_html_()


def through_pickle(est):
    return pickle.loads(pickle.dumps(est))


def through_joblib(est):
    buffer = io.BytesIO()
    joblib.dump(est, buffer, compress=3)
    buffer.seek(0)
    return joblib.load(buffer)


@KINDS
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("store", [through_pickle, through_joblib])
def test_round_trip(kind, data, solver, store):
    """What comes back is the same, and goes on the same, bit for bit: the optimizer's state came along."""
    X, y = data()
    est = getattr(OURS, kind)(**SMALL, solver=solver).fit(X, y)
    copy = store(est)
    assert_same(copy, est, X, y, tol=0)
    for _ in range(3):
        est.partial_fit(X[:50], y[:50])
        copy.partial_fit(X[:50], y[:50])
    assert_same(copy, est, X, y, tol=0)


def test_round_trip_before_fit_and_in_a_pipeline():
    X, y = problems.binary()
    est = through_pickle(OURS.Classifier(**SMALL)).fit(X, y)
    assert_same(est, OURS.Classifier(**SMALL).fit(X, y), X, y, tol=0)
    pipe = make_pipeline(StandardScaler(), OURS.Classifier(**SMALL)).fit(X, y)
    assert_array_equal(through_pickle(pipe).predict_proba(X), pipe.predict_proba(X))


def test_a_copy_is_independent():
    X, y = problems.binary()
    est = OURS.Classifier(**SMALL).fit(X, y)
    before = est.predict_proba(X)
    through_pickle(est).partial_fit(X, y)
    assert_array_equal(est.predict_proba(X), before)


def test_weights_changed_by_hand_count():
    """coefs_ and intercepts_ are the model, not a copy of it."""
    X, y = problems.several_targets()
    pair = both("Regressor", **SMALL)
    for est in pair:
        est.fit(X, y)
        est.coefs_[0][0] = 0.25
        est.intercepts_[1] = np.ones(3)
    assert_allclose(pair[0].predict(X), pair[1].predict(X), rtol=1e-6, atol=1e-6)
    for est in pair:
        est.partial_fit(X, y)
    assert_same(*pair, X, y)


def test_pandas_in_a_pipeline():
    """set_output concerns transformers: the perceptron behind one sees a frame, and keeps its names."""
    X, y = problems.regression()
    frame = pd.DataFrame(X, columns=list("abcde")).assign(colour=np.where(X[:, 0] > 0, "red", "blue"))
    columns = ColumnTransformer([("n", StandardScaler(), list("abcde")), ("c", OneHotEncoder(sparse_output=False), ["colour"])])
    fitted = []
    for lib in (OURS, THEIRS):
        pipe = make_pipeline(clone(columns), lib.Regressor(**SMALL)).set_output(transform="pandas")
        fitted.append(pipe.fit(frame, pd.Series(y)))
    assert_allclose(fitted[0].predict(frame), fitted[1].predict(frame), rtol=1e-6, atol=1e-6)
    assert list(fitted[0][-1].feature_names_in_) == list(fitted[1][-1].feature_names_in_)
    assert not hasattr(OURS.Regressor(), "set_output")


def test_pandas_labels():
    X, y = problems.letters()
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])], index=np.arange(len(X)) + 1000)
    for labels in (pd.Series(y, index=frame.index), pd.Series(y, index=frame.index, dtype="category"),
                   pd.Series(y, index=frame.index, dtype="string")):
        pair = both("Classifier", **SMALL)
        for est in pair:
            est.fit(frame, labels)
        assert_array_equal(pair[0].classes_, pair[1].classes_)
        assert_array_equal(pair[0].predict(frame), pair[1].predict(frame))


@pytest.fixture
def metadata_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_metadata_routing(metadata_routing):
    """sample_weight goes through a search and a pipeline to fit, partial_fit and score."""
    X, y = problems.binary()
    w = problems.weights(len(X))
    results = []
    for lib in (OURS, THEIRS):
        est = lib.Classifier(**SMALL).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        assert est.set_partial_fit_request(sample_weight=True, classes=True) is est
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        search = GridSearchCV(make_pipeline(scaler, est), {"mlpclassifier__alpha": [0.1, 5.0]}, cv=3)
        results.append(search.fit(X, y, sample_weight=w))
    ours, theirs = results
    assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=1e-9)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6, atol=1e-6)


def test_metadata_routing_asks_for_a_decision(metadata_routing):
    X, y = problems.binary()
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
        make_pipeline(OURS.Classifier(**SMALL)).fit(X, y, sample_weight=np.ones(len(X)))


def with_long_indices(X):
    X = sp.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def with_unsorted_indices(X):
    """Each row's entries in descending order of their columns."""
    X = sp.csr_matrix(X)
    order = np.concatenate([np.arange(b - 1, a - 1, -1) for a, b in zip(X.indptr[:-1], X.indptr[1:])])
    return sp.csr_matrix((X.data[order], X.indices[order], X.indptr), X.shape)


def with_duplicates(X):
    """Every entry twice, at half its value."""
    X = sp.csr_matrix(X)
    return sp.csr_matrix((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), X.indptr * 2), X.shape)


SPARSE = [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.lil_matrix, sp.csr_array, sp.csc_array,
          with_long_indices, with_unsorted_indices, with_duplicates]


@pytest.mark.parametrize("make", SPARSE, ids=lambda make: make.__name__)
@pytest.mark.parametrize("changes", [{}, {"early_stopping": True, "batch_size": 30}, {"shuffle": False, "solver": "sgd"}],
                         ids=["adam", "early stopping", "not shuffled"])
def test_sparse(make, changes):
    X, y = problems.three_classes()
    X = X * (np.random.RandomState(0).uniform(size=X.shape) < 0.3)
    X[5] = 0
    dense, theirs = both("Classifier", **SMALL | changes)
    sparse = OURS.Classifier(**SMALL | changes).fit(make(X), y)
    dense.fit(X, y)
    theirs.fit(make(X), y)
    assert_same(sparse, theirs, make(X), y)
    assert_same(sparse, dense, X, y)
    if not theirs.early_stopping:
        sparse.partial_fit(make(X[:20]), y[:20])
        theirs.partial_fit(make(X[:20]), y[:20])
        assert_same(sparse, theirs, X, y)


def test_sparse_stays_sparse():
    """Ten entries used of 50,000 columns: 16 GB if all were made dense."""
    rows, columns = 40_000, 50_000
    rng = np.random.RandomState(0)
    X = sp.csr_matrix((np.ones(rows), (np.arange(rows), rng.randint(0, 10, rows))), (rows, columns))
    y = X[:, :5].sum(axis=1).A1
    est = OURS.Regressor(hidden_layer_sizes=(2,), max_iter=1, random_state=0).fit(X, y)
    assert est.predict(X).shape == (rows,)


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def not_contiguous(X):
    wide = np.full((len(X) * 2, X.shape[1] * 3), np.nan)
    wide[::2, ::3] = X
    return wide[::2, ::3]


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "not contiguous": not_contiguous,
    "reversed": lambda X: X[::-1].copy()[::-1],
    "read-only": read_only,
    "big-endian": lambda X: X.astype(">f8"),
    "a list": lambda X: X.tolist(),
    "int8": lambda X: np.round(X * 3).astype(np.int8),
    "uint16": lambda X: np.abs(X * 3).astype(np.uint16),
    "int64": lambda X: np.round(X * 3).astype(np.int64),
    "bool": lambda X: X > 0,
    "float16": lambda X: X.astype(np.float16),
    "big-endian float32": lambda X: np.round(X * 3).astype(">f4"),
    "longdouble": lambda X: X.astype(np.longdouble),
    "objects": lambda X: X.astype(object),
    "a frame of floats and ints": lambda X: pd.DataFrame(X).assign(last=np.arange(len(X)) % 3).set_axis(list("abcdef"), axis=1),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("kind, data", [("Classifier", lambda: (problems.regression()[0], problems.letters()[1][:120])),
                                        ("Regressor", problems.regression)])
def test_layouts(name, kind, data):
    X, y = data()
    X = LAYOUTS[name](X)
    pair = both(kind, **SMALL)
    for est in pair:
        est.fit(X, y)
    # A float32 fit of the two differs by its rounding.
    assert_same(*pair, X, y, tol=1e-3 if pair[1].coefs_[0].dtype == np.float32 else 1e-6)


def test_layouts_of_targets_and_weights():
    X, Y = problems.several_targets()
    w = problems.weights(len(X))
    pair = both("Regressor", **SMALL)
    variants = [(np.asfortranarray(Y), read_only(w)), (not_contiguous(Y), w.astype(">f8")),
                (np.round(Y).astype(int), w > 1), (Y.astype(np.float32), w.astype(np.float32)), (Y.tolist(), w.tolist())]
    for targets, weights in variants:
        for est in pair:
            est.fit(X, targets, sample_weight=weights)
        assert_same(*pair, X, Y)


def test_memmap(tmp_path):
    X, y = problems.digits()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    est = OURS.Classifier(**SMALL).fit(mapped, y)
    assert_same(est, OURS.Classifier(**SMALL).fit(X, y), mapped, y, tol=0)


@pytest.mark.parametrize("changes", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=["adam", "early", "lbfgs"])
def test_data_is_left_alone(changes):
    X, y = problems.regression()
    w = problems.weights(len(X))
    kept = X.copy(), y.copy(), w.copy()
    OURS.Regressor(**SMALL | changes).fit(X, y, sample_weight=w).predict(X)
    for now, before in zip((X, y, w), kept):
        assert_array_equal(now, before)


def fit_in_thread(seed):
    """A fit long enough to overlap with another one."""
    X, y = problems.digits()
    with quiet():
        return OURS.Classifier((50,), max_iter=30, random_state=seed).fit(X, y)


def test_two_fits_in_two_threads():
    X, y = problems.digits()
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(fit_in_thread, [1, 2]))
    for est, seed in zip(together, [1, 2]):
        assert_same(est, fit_in_thread(seed), X, y, tol=0)


def test_joblib_threads():
    X, y = problems.digits()
    with joblib.parallel_backend("threading", n_jobs=2):
        together = joblib.Parallel()(joblib.delayed(fit_in_thread)(seed) for seed in (1, 2, 3))
    for est, seed in zip(together, (1, 2, 3)):
        assert_same(est, fit_in_thread(seed), X, y, tol=0)


def test_one_estimator_predicts_in_many_threads():
    X, y = problems.digits()
    est = fit_in_thread(0)
    wanted = est.predict_proba(X)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: est.predict_proba(X), range(20)):
            assert_array_equal(found, wanted)
