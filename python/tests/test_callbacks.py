"""scikit-learn's callbacks (1.9 and newer): one task for the fit, and in it one for each epoch."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import problems
from compare import OURS, assert_same

callback = pytest.importorskip("sklearn.callback")
pytestmark = [pytest.mark.steepest_only, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

SMALL = {"hidden_layer_sizes": (6,), "max_iter": 8, "random_state": 0, "learning_rate_init": 0.01}
SOLVERS = pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
KINDS = pytest.mark.parametrize("kind, data", [("Classifier", problems.letters), ("Regressor", problems.several_targets)])


class Recorder:
    """Keeps what it is told about the epochs; asks for the end of the fit after `stop_after` of them."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.calls, self.begun, self.epochs = [], 0, []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.begun += 1
        if context.parent is None:
            self.max_subtasks = context.max_subtasks

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        if context.parent is None:
            self.calls.append("fit")
            return False
        self.epochs.append((context.task_id, X, y, metadata, fitted_estimator))
        return len(self.epochs) == self.stop_after

    def teardown(self, estimator, context):
        self.calls.append("teardown")


class PropagatedRecorder(Recorder):
    """Set on a meta-estimator, it is handed down to the estimators within."""

    max_propagation_depth = None

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.epochs.append((type(estimator).__name__, context.task_id))


@KINDS
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_each_epoch_is_told(kind, data, solver):
    X, y = data()
    recorder = Recorder()
    est = getattr(OURS, kind)(**SMALL, solver=solver).set_callbacks(recorder).fit(X, y)
    assert recorder.calls == ["setup", "fit", "teardown"]
    assert recorder.max_subtasks == 8
    assert recorder.begun == 1 + est.n_iter_
    assert [epoch[0] for epoch in recorder.epochs] == list(range(est.n_iter_))


@KINDS
def test_the_fitted_estimator_is_that_of_its_epoch(kind, data):
    """It predicts as if the fit had had so many epochs, and keeps doing so when the fit goes on."""
    X, y = data()
    recorder = Recorder()
    getattr(OURS, kind)(**SMALL).set_callbacks(recorder).fit(X, y)
    for epoch in (0, 3, 7):
        wanted = getattr(OURS, kind)(**SMALL | {"max_iter": epoch + 1}).fit(X, y)
        np.testing.assert_array_equal(recorder.epochs[epoch][4].predict(X), wanted.predict(X))


@KINDS
def test_callbacks_change_nothing(kind, data):
    X, y = data()
    watched = getattr(OURS, kind)(**SMALL).set_callbacks(Recorder()).fit(X, y)
    assert_same(watched, getattr(OURS, kind)(**SMALL).fit(X, y), X, y, tol=0)


@SOLVERS
def test_stop(solver):
    """True from on_fit_task_end ends the fit after this epoch, with all its attributes."""
    X, y = problems.three_classes()
    recorder = Recorder(stop_after=3)
    est = OURS.Classifier(**SMALL | {"max_iter": 50}, solver=solver).set_callbacks(recorder).fit(X, y)
    assert est.n_iter_ == 3 and len(recorder.epochs) == 3
    assert recorder.calls == ["setup", "fit", "teardown"]
    if solver != "lbfgs":
        assert len(est.loss_curve_) == 3
        assert_same(est, OURS.Classifier(**SMALL | {"max_iter": 3}, solver=solver).fit(X, y), X, y, tol=0)


def test_an_error_in_a_callback_comes_out_and_tears_down():
    class Failing(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise LookupError("from the callback")

    failing = Failing()
    with pytest.raises(LookupError, match="from the callback"):
        OURS.Regressor(**SMALL).set_callbacks(failing).fit(*problems.regression())
    assert failing.calls == ["setup", "teardown"]


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match="FitCallback protocol"):
        OURS.Classifier().set_callbacks(print)


@KINDS
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_scoring_monitor(kind, data, weighted):
    """One score an epoch, that of the training data; the last is the fitted estimator's own."""
    X, y = data()
    w = problems.weights(len(X)) if weighted else None
    score = "accuracy" if kind == "Classifier" else "r2"
    monitor = callback.ScoringMonitor(scoring=score)
    est = getattr(OURS, kind)(**SMALL).set_callbacks(monitor).fit(X, y, sample_weight=w)
    rows = [row for row in monitor.get_logs().data if len(row["task_id_path"]) == 2]
    assert [row["task_id"] for row in rows] == list(range(est.n_iter_))
    assert rows[-1][score] == pytest.approx(est.score(X, y, sample_weight=w), abs=1e-12)


def test_scoring_monitor_of_several_scores_in_a_search():
    X, y = problems.binary()
    monitor = callback.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    pipe = make_pipeline(StandardScaler(), OURS.Classifier(**SMALL).set_callbacks(monitor))
    GridSearchCV(pipe, {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=2, n_jobs=2).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["estimator_name"] == "MLPClassifier"]
    scored = [row for row in rows if "neg_log_loss" in row]
    assert len(scored) >= (2 * 2 + 1) * 8  # four fits of the search and the refit, eight epochs each
    assert all(0 <= row["accuracy"] <= 1 and row["neg_log_loss"] < 0 for row in scored)


@pytest.mark.parametrize("wrap", [
    lambda est: make_pipeline(StandardScaler(), est),
    lambda est: GridSearchCV(est, {"alpha": [0.1]}, cv=2, refit=False),
], ids=["pipeline", "search"])
def test_propagation(wrap):
    X, y = problems.binary()
    recorder = PropagatedRecorder()
    meta = wrap(OURS.Classifier(**SMALL)).set_callbacks(recorder)
    meta.fit(X, y)
    epochs = [task for name, task in recorder.epochs if name == "MLPClassifier"]
    assert set(range(8)) <= set(epochs)


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "in a search"])
@pytest.mark.parametrize("kind, data", [("Classifier", problems.binary), ("Regressor", problems.regression)])
def test_progress_bar(kind, data, alone, capsys):
    pytest.importorskip("rich")
    X, y = data()
    est = getattr(OURS, kind)(**SMALL)
    meta = est if alone else GridSearchCV(est, {"alpha": [0.1, 0.2]}, cv=2)
    meta.set_callbacks(callback.ProgressBar()).fit(X, y)
    out = capsys.readouterr().out
    assert f"MLP{kind} - fit" in out and "100%" in out


@KINDS
def test_partial_fit_calls_no_callbacks_twice(kind, data):
    """Each call of partial_fit sets up and tears down at most once, and leaves nothing behind."""
    X, y = data()
    recorder = Recorder()
    est = getattr(OURS, kind)(**SMALL).set_callbacks(recorder)
    first = {"classes": np.unique(y)} if kind == "Classifier" else {}
    est.partial_fit(X, y, **first).partial_fit(X, y)
    assert recorder.calls.count("setup") == recorder.calls.count("teardown") <= 2
    assert not hasattr(est, "_callback_fit_ctx")
