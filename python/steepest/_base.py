"""What both estimators share: scikit-learn's contract around a trainer in Rust."""

import warnings
from abc import ABC
from numbers import Integral, Real

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_is_fitted,
    validate_data,
)

from steepest import _core
from steepest._callbacks import CallbackSupport, Progress, with_callbacks
from steepest._conversions import ConversionSupport
from steepest._files import FileSupport
from steepest._optimizers import AdamOptimizer, SGDOptimizer
from steepest._random import stream_of
from steepest._recipe import SCHEDULES, recipe_of
from steepest._scores import accuracy, r2
from steepest._split import split_rows
from steepest._targets import Numbers
from steepest._threads import thread_count

STOCHASTIC_SOLVERS = ("sgd", "adam", "adamw")


class BaseMLP(FileSupport, ConversionSupport, CallbackSupport, BaseEstimator, ABC):
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
        "dtype": [StrOptions({"float32", "float64"}), Options(type, {np.float32, np.float64}), None],
        "n_jobs": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "callbacks": [callable, "array-like", None],
    }

    # ------------------------------------------------------------------ fitting

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

    def _trainer(self, rows, batch_size, total_steps, row_numbers=None, stream=None):
        """A trainer that begins where the parameters are."""
        dtype = np.dtype(self.dtype) if self.dtype is not None else self.coefs_[0].dtype
        coefs = [np.ascontiguousarray(c, dtype) for c in self.coefs_]
        intercepts = [np.ascontiguousarray(i, dtype) for i in self.intercepts_]
        recipe = recipe_of(self, dtype, batch_size, total_steps)
        return _core.Trainer(recipe, rows, coefs, intercepts, row_numbers, stream, thread_count(self.n_jobs))

    def _take(self, trainer, kept=False):
        """The trainer's parameters as new arrays."""
        dtype = np.dtype(self.dtype) if self.dtype is not None else self.coefs_[0].dtype
        coefs = [np.empty(c.shape, dtype) for c in self.coefs_]
        intercepts = [np.empty(i.shape, dtype) for i in self.intercepts_]
        trainer.write(coefs, intercepts, kept)
        return coefs, intercepts

    def _fit_lbfgs(self, rows, progress):
        trainer = self._trainer(rows, "full", self.max_iter)
        iterations, why = 0, None
        progress.begin(trainer)
        try:
            while True:
                loss, iterations, evaluations, is_done = trainer.lbfgs()
                self.n_iter_, self.loss_ = iterations, np.float64(loss)
                stops = progress.step()
                # In this order, as SciPy.
                if iterations >= self.max_iter:
                    why = "ITERATIONS REACHED LIMIT"
                elif evaluations > self.max_fun:
                    why = "F,G EVALUATIONS EXCEEDS LIMIT"
                if why or stops or is_done:
                    break
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.")
        self.coefs_, self.intercepts_ = self._take(trainer)
        progress.end()
        if why is not None:
            warnings.warn(lbfgs_message(iterations, why, self.max_iter), ConvergenceWarning, stacklevel=2)

    def _fit_stochastic(self, rows, targets, weights, incremental, validation_data, draws, progress):
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = (SGDOptimizer if self.solver == "sgd" else AdamOptimizer)(self)
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        early_stopping = self.early_stopping
        validation = train_rows = None
        n_samples = len(rows)
        if early_stopping:
            if validation_data is None:
                labels = targets.labels if self.n_outputs_ == 1 else None
                train_rows, held_out = split_rows(draws.stream, n_samples, self.validation_fraction, labels)
                if len(held_out) < 2:
                    raise ValueError(
                        "The validation set is too small. Increase 'validation_fraction' or the size of your "
                        "dataset."
                    )
                n_samples = len(train_rows)
                held_out_weights = None if weights is None else weights[held_out]
                validation = Validation(rows.select(held_out), targets.select(held_out), held_out_weights)
            else:
                try:
                    validation = self._given_validation(validation_data)
                except (TypeError, ValueError) as error:
                    raise ValueError(f"validation_data is no pair (X, y) that fits X and y: {error}") from error

        if self.batch_size == "auto":
            batch_size = min(200, n_samples)
        else:
            if self.batch_size > n_samples:
                warnings.warn(
                    "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
                )
            batch_size = int(np.clip(self.batch_size, 1, n_samples))

        total_steps = self.max_iter * -(-n_samples // batch_size)
        stream = draws.stream if self.shuffle else None
        trainer = self._trainer(rows, batch_size, total_steps, train_rows, stream)
        if self._optimizer.t:
            trainer.read_optimizer(self._optimizer.t, self._optimizer.pairs())
        progress.begin(trainer)
        improved = False
        # As in scikit-learn: of single precision if all that it is made of is.
        is_single = weights is None and targets.is_single and self.coefs_[0].dtype == np.float32
        loss_type = np.float32 if is_single else np.float64
        try:
            self.n_iter_ = 0
            for _ in range(self.max_iter):
                if self.solver == "sgd" and self.learning_rate not in SCHEDULES:
                    trainer.set_rate(self._optimizer.learning_rate)
                self.loss_ = loss_type(trainer.epoch())
                self.n_iter_ += 1
                self.t_ += n_samples
                self.loss_curve_.append(self.loss_)
                if self.verbose:
                    print("Iteration %d, loss = %.8f" % (self.n_iter_, self.loss_))
                if early_stopping:
                    improved |= self._judge_validation(trainer, validation)
                else:
                    self._judge_loss()
                self._optimizer.iteration_ends(self.t_)
                stops = progress.step()
                if self._no_improvement_count > self.n_iter_no_change:
                    what = "Validation score" if early_stopping else "Training loss"
                    message = "%s did not improve more than tol=%f for %d consecutive epochs." % (
                        what,
                        self.tol,
                        self.n_iter_no_change,
                    )
                    if self._optimizer.trigger_stopping(message, self.verbose):
                        break
                    self._no_improvement_count = 0
                if incremental or stops:
                    break
                if self.n_iter_ == self.max_iter:
                    warnings.warn(
                        "Stochastic Optimizer: Maximum iterations (%d) reached and the optimization hasn't "
                        "converged yet." % self.max_iter,
                        ConvergenceWarning,
                    )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.")
        finally:
            draws.stream = trainer.stream() or draws.stream

        self._optimizer.t = trainer.write_optimizer(self._optimizer.pairs())
        if not early_stopping:
            self.coefs_, self.intercepts_ = self._take(trainer)
        else:
            # As in scikit-learn, where a warm start trains the best parameters of the last fit in place: if none is better
            # now, these are not the best ones but the last.
            if improved or self.coefs_ is self._best_coefs:
                self._best_coefs, self._best_intercepts = self._take(trainer, kept=improved)
            self.coefs_, self.intercepts_ = self._best_coefs, self._best_intercepts
        progress.end()

    def _judge_validation(self, trainer, validation):
        """Notes the score of the held-out rows; whether it is the best so far, and the parameters are kept."""
        score = self._score(trainer, validation)
        self.validation_scores_.append(score)
        if self.verbose:
            print("Validation score: %f" % score)
        if score < self.best_validation_score_ + self.tol:
            self._no_improvement_count += 1
        else:
            self._no_improvement_count = 0
        if not score > self.best_validation_score_:
            return False
        self.best_validation_score_ = score
        trainer.keep()
        return True

    def _judge_loss(self):
        """Notes whether the training loss got better."""
        if self.loss_curve_[-1] > self.best_loss_ - self.tol:
            self._no_improvement_count += 1
        else:
            self._no_improvement_count = 0
        if self.loss_curve_[-1] < self.best_loss_:
            self.best_loss_ = self.loss_curve_[-1]

    def _score(self, trainer, validation):
        """Accuracy, or R2, of the trainer's network on rows that it does not learn from."""
        dtype = np.dtype(self.dtype) if self.dtype is not None else self.coefs_[0].dtype
        values = np.empty((len(validation.rows), self.n_outputs_), dtype)
        trainer.predict(validation.rows, values)
        if is_classifier(self):
            return accuracy(validation.targets.are_right(values), validation.weights)
        if not np.isfinite(values).all():
            return np.nan
        return r2(validation.targets.values, values, validation.weights)

    def _loss_grad_lbfgs(
        self, packed_coef_inter, X, y, sample_weight, activations, deltas, coef_grads, intercept_grads
    ):
        """Loss and gradient at packed parameters, by the name and with the arguments that scikit-learn's tests know."""
        start = 0
        for arrays in self.coefs_, self.intercepts_:
            for i, array in enumerate(arrays):
                packed = packed_coef_inter[start : start + array.size]
                arrays[i] = np.array(packed, array.dtype).reshape(array.shape)
                start += array.size
        rows = Numbers(np.asarray(y)).add_to(rows_of(X))
        if sample_weight is not None:
            rows = rows.with_weights(np.ascontiguousarray(sample_weight, np.float64))
        loss = self._trainer(rows, "full", 1).gradient(coef_grads, intercept_grads)
        return loss, np.hstack([gradient.ravel() for gradient in coef_grads + intercept_grads])

    def _check_extras(self, incremental):
        """Refuses what does not go together."""
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

    # ------------------------------------------------------------------ predicting

    def _values(self, X):
        """Predictions ``(n_samples, n_outputs)`` of checked rows of any type, of the type that NumPy's product would have."""
        coefs, intercepts = self.coefs_, self.intercepts_
        wanted = coefs[0].dtype if self.dtype is not None else np.result_type(X.dtype, coefs[0].dtype)
        dtype = wanted if wanted in (np.float32, np.float64) else np.dtype(np.float64)
        coefs = [np.ascontiguousarray(c, dtype) for c in coefs]
        intercepts = [np.ascontiguousarray(i, dtype) for i in intercepts]
        network = _core.Network(
            coefs, intercepts, self.activation, self.out_activation_, thread_count(self.n_jobs)
        )
        out = np.empty((X.shape[0], intercepts[-1].shape[0]), dtype)
        network.values(rows_of(X.astype(dtype, copy=False)), out)
        return out.astype(wanted, copy=False)

    def _quick_values(self, X):
        """The same of rows that need no checks, or None where there are some to be made."""
        network = self._quick_network(X)
        if network is None:
            return None
        out = np.empty((X.shape[0], self.n_outputs_), X.dtype)
        is_done = network.quick_values(X, self.coefs_, self.intercepts_, self.activation, out)
        return out if is_done else None

    def _quick_network(self, X):
        """The network as it was at the end of the fit, for arrays without names."""
        if type(X) is np.ndarray and X.ndim == 2 and "feature_names_in_" not in self.__dict__:
            return self.__dict__.get("_network")
        return None

    def _make_network(self):
        """Prepares single predictions, which look at the arrays where they are."""
        self._network = _core.Network(
            self.coefs_, self.intercepts_, self.activation, self.out_activation_, thread_count(self.n_jobs)
        )

    def __getstate__(self):
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_network"}

    def __setstate__(self, state):
        super().__setstate__(state)
        if "coefs_" in self.__dict__:
            self._make_network()

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


class Validation:
    """Rows that are held out, what they should give, and how much each counts."""

    def __init__(self, rows, targets, weights):
        self.rows, self.targets, self.weights = rows, targets, weights


def rows_of(X):
    """Checked rows for the core: used where they are, if they lie in C order, or in the order of rows if they are sparse."""
    if not scipy.sparse.issparse(X):
        return _core.Rows.dense(np.ascontiguousarray(X))
    indices = np.ascontiguousarray(X.indices, np.int32)
    if X.format == "csr":
        return _core.Rows.csr(X.data, indices, X.indptr.tolist(), X.shape[1])
    return _core.Rows.csc(X.data, indices, X.indptr.tolist(), X.shape[0])


def lbfgs_message(iterations, why, max_iter):
    """scikit-learn's warning of an L-BFGS that was stopped."""
    advice = f"Increase the number of iterations to improve the convergence (max_iter={max_iter}).\n"
    return (
        f"lbfgs failed to converge after {iterations} iteration(s) (status=1):\n"
        f"STOP: TOTAL NO. OF {why}\n\n"
        f"{advice if iterations == max_iter else ''}"
        "You might also want to scale the data as shown in:\n"
        "    https://scikit-learn.org/stable/modules/preprocessing.html"
    )
