"""MLPRegressor."""

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions

from steepest._base import BaseMLP
from steepest._callbacks import with_callbacks
from steepest._loops import Validation
from steepest._rows import rows_of
from steepest._targets import Numbers


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron regressor: scikit-learn's ``MLPRegressor``, several times as fast.

    The parameters of ``sklearn.neural_network.MLPRegressor`` mean here what they mean there, and the same ``random_state`` gives the
    same weights, batches and results. :class:`~steepest.MLPClassifier` says what each is, and what there is more: ``dropout``,
    ``batch_norm``, ``weight_decay``, ``dtype``, ``n_jobs``, ``callbacks``, the solver "adamw", and more courses of the
    learning rate.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, default="squared_error"
        Half the squared error, or for counts half the Poisson deviance, with an exponential at the output.
    """

    _parameter_constraints: dict = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        dropout=0.0,
        batch_norm=False,
        weight_decay=0.01,
        dtype=None,
        n_jobs=None,
        callbacks=None,
    ):
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.weight_decay = weight_decay
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.callbacks = callbacks

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, validation_data=None):
        """Fit the model to data matrix X and target(s) y.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            The input data. Arrays of float64 or float32 in C order are used where they are.
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts.
        validation_data : tuple (X, y), default=None
            Rows that are not learnt from, whose score after each epoch is in ``validation_scores_``; early stopping, if it is on,
            judges by it in place of rows that it holds out.

        Returns
        -------
        self : object
            The trained model.
        """
        return self._fit(X, y, sample_weight=sample_weight, validation_data=validation_data)

    # Also with L-BFGS, as in scikit-learn: then it is a fit that begins where the last one ended.
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Update the model with a single iteration over the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : ndarray of shape (n_samples,)
            The target values.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts.

        Returns
        -------
        self : object
            The trained model.
        """
        return self._fit(X, y, sample_weight=sample_weight, incremental=True)

    def predict(self, X):
        """The numbers of each row of X, ``(n_samples,)`` or ``(n_samples, n_outputs)``."""
        values = self._quick_values(X)
        if values is None:
            values = self._values(self._checked(X))
        return values.ravel() if values.shape[1] == 1 else values

    def _out_activation(self):
        return "exp" if self.loss == "poisson" else "identity"

    def _validate_input(self, X, y, incremental, reset):
        X, y = self._checked_pair(X, y, reset, y_numeric=True, all_finite=False)
        return X, Numbers(y)

    def _weights(self, targets, sample_weight):
        """The weight of each row."""
        return None if sample_weight is None else np.ascontiguousarray(sample_weight, np.float64)

    def _given_validation(self, validation_data):
        X, y = self._checked_pair(*validation_data, reset=False, y_numeric=True)
        return Validation(rows_of(X), Numbers(y), None)
