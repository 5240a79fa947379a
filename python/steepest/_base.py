"""What both estimators share: scikit-learn's contract around a trainer in Rust."""

from abc import ABC
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_is_fitted,
    validate_data,
)

from steepest._callbacks import CallbackSupport, Progress
from steepest._conversions import ConversionSupport
from steepest._files import FileSupport
from steepest._loops import Loops
from steepest._prediction import Prediction
from steepest._random import stream_of
from steepest._recipe import SCHEDULES
from steepest._rows import rows_of
from steepest._threads import thread_count

STOCHASTIC_SOLVERS = ("sgd", "adam", "adamw")


class BaseMLP(Loops, Prediction, FileSupport, ConversionSupport, CallbackSupport, BaseEstimator, ABC):
    """A multi-layer perceptron that is fitted as scikit-learn's."""

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "tanh", "relu", "leaky-relu", "gelu"})],
        "solver": [StrOptions({"lbfgs", *STOCHASTIC_SOLVERS})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", *SCHEDULES})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_norm": ["boolean"],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dtype": [StrOptions({"float32", "float64"}), Options(type, {np.float32, np.float64}), np.dtype, None],
        "n_jobs": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "callbacks": [callable, "array-like", None],
    }

    def _fit(self, X, y, sample_weight=None, incremental=False, validation_data=None):
        hidden_layer_sizes = self.hidden_layer_sizes
        if not hasattr(hidden_layer_sizes, "__iter__"):
            hidden_layer_sizes = [hidden_layer_sizes]
        hidden_layer_sizes = list(hidden_layer_sizes)
        if np.any(np.array(hidden_layer_sizes) <= 0):
            raise ValueError("hidden_layer_sizes must be > 0, got %s." % hidden_layer_sizes)
        first_pass = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)

        given = X, y
        X, targets = self._validate_input(X, y, incremental, reset=first_pass)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        weights = self._weights(targets, sample_weight)
        self.n_outputs_ = targets.n_outputs
        self._check_extras(incremental)
        if validation_data is not None and self.solver == "lbfgs":
            raise ValueError("validation_data is for the stochastic solvers, which look at it after each epoch: leave it out")

        self._random_state = check_random_state(self.random_state)
        with stream_of(self._random_state) as draws:
            if first_pass:
                sizes = [X.shape[1], *hidden_layer_sizes, self.n_outputs_]
                self._initialize(sizes, self._dtype_for(X), draws.stream)
            rows = targets.add_to(self._rows_for_training(X))
            if weights is not None:
                rows = rows.with_weights(weights)
            progress = Progress(self, given, sample_weight)
            if self.solver == "lbfgs":
                self._fit_lbfgs(rows, progress)
            else:
                self._fit_stochastic(rows, targets, weights, incremental, validation_data, draws, progress)

        if not all(np.isfinite(w).all() for w in self.coefs_ + self.intercepts_):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need "
                "to be preprocessed."
            )
        self._make_network()
        return self

    def _rows_for_training(self, X):
        """Rows for many passes. That they are finite was left to be found out here, on the way."""
        n_jobs = thread_count(self.n_jobs)
        rows = rows_of(X).for_training(n_jobs)
        if not rows.are_finite(n_jobs):
            assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
        return rows

    def _dtype_for(self, X):
        """The precision of all arithmetic: as asked for, else that of the inputs; L-BFGS is double as SciPy's is."""
        if self.dtype is not None:
            return np.dtype(self.dtype)
        return np.dtype(np.float64) if self.solver == "lbfgs" else X.dtype

    def _initialize(self, sizes, dtype, stream):
        """The attributes of a fit that begins, and parameters as Glorot and Bengio (2010) draw them."""
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._out_activation()
        self.coefs_, self.intercepts_ = [], []
        factor = 2.0 if self.activation == "logistic" else 6.0
        for n_in, n_out in zip(sizes, sizes[1:]):
            limit = float(np.sqrt(factor / (n_in + n_out)))
            coef, intercept = np.empty((n_in, n_out), dtype), np.empty(n_out, dtype)
            stream.fill_uniform(limit, coef)
            stream.fill_uniform(limit, intercept)
            self.coefs_.append(coef)
            self.intercepts_.append(intercept)
        self._best_coefs, self._best_intercepts = list(self.coefs_), list(self.intercepts_)
        if self.solver in STOCHASTIC_SOLVERS:
            self.loss_curve_ = []
            self._no_improvement_count = 0
            if self.early_stopping:
                self.validation_scores_ = []
                self.best_validation_score_ = -np.inf
                self.best_loss_ = None
            else:
                self.validation_scores_ = None
                self.best_validation_score_ = None
                self.best_loss_ = np.inf

    def _check_extras(self, incremental):
        """Refuses what does not go together."""
        if self.dtype is not None and np.dtype(self.dtype) not in (np.float32, np.float64):
            raise ValueError(f"dtype is {self.dtype}: expected float32 or float64")
        if self.solver == "lbfgs":
            for name in ("dropout", "batch_norm"):
                if getattr(self, name):
                    raise ValueError(
                        f"{name} does not go with solver='lbfgs', which compares gradients of one function: leave "
                        "one of them out"
                    )
        if self.batch_norm and (incremental or self.warm_start):
            raise ValueError(
                "batch_norm does not go with partial_fit or warm_start: after a fit it is folded into the weights"
            )

    def _checked_pair(self, X, y, reset, y_numeric=False, all_finite=True):
        """Rows and targets, checked as scikit-learn does."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=y_numeric,
            dtype=(np.float64, np.float32),
            reset=reset,
            ensure_all_finite=all_finite,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _checked(self, X):
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)

    def _seed(self):
        """Where dropout comes from: a number that ``random_state`` gives without being changed."""
        state = self._random_state.get_state(legacy=False)["state"]
        return int(state["key"][0]) if "key" in state else 0

    def _check_solver(self):
        if self.solver not in STOCHASTIC_SOLVERS:
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. %s is not stochastic." % self.solver
            )
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
