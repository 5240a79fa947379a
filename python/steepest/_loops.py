"""The two ways to fit: epoch by epoch, and iteration by iteration of L-BFGS; when each ends is scikit-learn's."""

import warnings

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning

from steepest import _core
from steepest._optimizers import AdamOptimizer, SGDOptimizer
from steepest._recipe import SCHEDULES, recipe_of
from steepest._rows import rows_of
from steepest._scores import accuracy, r2
from steepest._split import split_rows
from steepest._targets import Numbers
from steepest._threads import thread_count


class Loops:
    """What a fit does after its inputs were checked."""

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
        if validation_data is not None:
            try:
                validation = self._given_validation(validation_data)
            except (TypeError, ValueError) as error:
                raise ValueError(f"validation_data is no pair (X, y) that fits X and y: {error}") from error
            self.validation_scores_ = self.validation_scores_ or []
        elif early_stopping:
            labels = targets.labels if self.n_outputs_ == 1 else None
            train_rows, held_out = split_rows(draws.stream, n_samples, self.validation_fraction, labels)
            if len(held_out) < 2:
                raise ValueError(
                    "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
                )
            n_samples = len(train_rows)
            held_out_weights = None if weights is None else weights[held_out]
            validation = Validation(rows.select(held_out), targets.select(held_out), held_out_weights)

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
                if validation is not None:
                    self._note_score(trainer, validation)
                if early_stopping:
                    improved |= self._judge_score(trainer)
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

    def _note_score(self, trainer, validation):
        """Notes the score of rows that are not learnt from."""
        self.validation_scores_.append(self._score(trainer, validation))
        if self.verbose:
            print("Validation score: %f" % self.validation_scores_[-1])

    def _judge_score(self, trainer):
        """Whether the last score is the best so far, and the parameters are kept."""
        score = self.validation_scores_[-1]
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


class Validation:
    """Rows that are held out, what they should give, and how much each counts."""

    def __init__(self, rows, targets, weights):
        self.rows, self.targets, self.weights = rows, targets, weights


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
