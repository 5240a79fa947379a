"""MLPClassifier."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from steepest._base import BaseMLP
from steepest._callbacks import with_callbacks
from steepest._loops import Validation
from steepest._rows import rows_of
from steepest._targets import Classes, Numbers


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron classifier: scikit-learn's ``MLPClassifier``, several times as fast.

    The parameters of ``sklearn.neural_network.MLPClassifier`` mean here what they mean there, and the same ``random_state`` gives
    the same weights, batches and results. What there is more comes at the end and is off by default.

    Parameters
    ----------
    hidden_layer_sizes : array-like of shape (n_layers - 2,), default=(100,)
        Units of each hidden layer.
    activation : {"identity", "logistic", "tanh", "relu", "leaky-relu", "gelu"}, default="relu"
        Activation of the hidden layers. The last two are not scikit-learn's.
    solver : {"lbfgs", "sgd", "adam", "adamw"}, default="adam"
        The optimizer. AdamW is not scikit-learn's.
    alpha : float, default=0.0001
        Strength of the L2 penalty; a batch's penalty is divided by its number of rows.
    batch_size : int or "auto", default="auto"
        Rows of a step of the stochastic solvers; "auto" is ``min(200, n_samples)``.
    learning_rate : {"constant", "invscaling", "adaptive", "cosine", "exponential", "one-cycle", "step"}, default="constant"
        Course of the learning rate. The first three are scikit-learn's and only used with ``solver="sgd"``; the others are for all
        stochastic solvers, over ``max_iter`` epochs: half a cosine down to 0; down to a hundredth, by the same factor each epoch;
        up and down again (Smith and Topin 2019); a tenth after each third.
    learning_rate_init : float, default=0.001
        Learning rate at the beginning, or the highest one.
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Most epochs, or iterations of L-BFGS.
    shuffle : bool, default=True
        Whether each epoch has a new order.
    random_state : int, RandomState instance or None, default=None
        Where weights, held-out rows and batches come from.
    tol : float, default=1e-4
        What counts as progress; with L-BFGS the gradient's largest component at the end.
    verbose : bool, default=False
        Print the loss of each epoch.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the last one.
    momentum : float, default=0.9
        Of ``solver="sgd"``.
    nesterovs_momentum : bool, default=True
        Of ``solver="sgd"``.
    early_stopping : bool, default=False
        Hold rows out, and end when their score no longer gets better; the best parameters are kept.
    validation_fraction : float, default=0.1
        The part of the rows that early stopping holds out.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of Adam.
    n_iter_no_change : int, default=10
        Epochs without progress after which training ends.
    max_fun : int, default=15000
        Most evaluations of L-BFGS.
    loss : {"log_loss", "binary_log_loss"}, default="log_loss"
        With "binary_log_loss" each class of several has a sigmoid of its own (one against the rest) instead of the softmax.
    class_weight : dict, "balanced" or None, default=None
        How much rows of each class count, as in scikit-learn's linear models.
    label_smoothing : float, default=0.0
        The part of each target that is spread over all classes.
    dropout : float, default=0.0
        The part of the hidden units that each step drops.
    batch_norm : bool, default=False
        Normalise hidden layers over each batch. After the fit that is folded into ``coefs_`` and ``intercepts_``.
    weight_decay : float, default=0.01
        Decoupled decay of ``solver="adamw"``.
    dtype : {"float32", "float64"} or None, default=None
        Precision of all arithmetic; None is that of X. Single precision is about twice as fast.
    n_jobs : int or None, default=None
        Threads; None is ``OMP_NUM_THREADS``, else all cores. The result does not depend on it.
    callbacks : callable, list of callables or None, default=None
        Called after each iteration with the estimator, whose attributes are those of that moment (``n_iter_``, ``loss_``,
        ``coefs_``, ...); training ends where one returns True. scikit-learn's own callbacks are for ``set_callbacks``.

    Attributes
    ----------
    classes_, loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, t_, coefs_, intercepts_, \
n_features_in_, feature_names_in_, n_iter_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn.
    """

    _parameter_constraints: dict = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({"log_loss", "binary_log_loss"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
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
        loss="log_loss",
        class_weight=None,
        label_smoothing=0.0,
        dropout=0.0,
        batch_norm=False,
        weight_decay=0.01,
        dtype=None,
        n_jobs=None,
        callbacks=None,
    ):
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
        self.loss = loss
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
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
            The class labels.
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

    @available_if(lambda est: est._check_solver())
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Update the model with a single iteration over the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,)
            The class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts.
        classes : array of shape (n_classes,), default=None
            All classes that will ever come; required for the first call.

        Returns
        -------
        self : object
            The trained model.
        """
        if _check_partial_fit_first_call(self, classes):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y if type_of_target(y).startswith("multilabel") else classes)
        return self._fit(X, y, sample_weight=sample_weight, incremental=True)

    def predict(self, X):
        """The class of each row of X, or for several labels an indicator matrix."""
        network = self._quick_network(X)
        if network is not None and self._label_binarizer.y_type_ != "multilabel-indicator":
            labels = np.empty(X.shape[0], np.int64)
            if network.quick_classes(X, self.coefs_, self.intercepts_, self.activation, labels):
                return self.classes_.take(labels, mode="clip")
        values = self._values(self._checked(X))
        if self.n_outputs_ == 1:
            values = values.ravel()
        return self._label_binarizer.inverse_transform(values)

    def predict_proba(self, X):
        """The probability of each class for each row of X, ``(n_samples, n_classes)``, in the order of ``classes_``."""
        values = self._quick_values(X)
        if values is None:
            values = self._values(self._checked(X))
        if self.n_outputs_ == 1:
            return np.column_stack([1 - values, values])
        if self._has_one_each():
            values /= values.sum(axis=1, keepdims=True)
        return values

    def predict_log_proba(self, X):
        """The logarithms of the probabilities."""
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def _has_one_each(self):
        """Whether each of several classes has a sigmoid of its own."""
        return self.out_activation_ == "logistic" and self._label_binarizer.y_type_ == "multiclass"

    def _out_activation(self):
        is_softmax = self._label_binarizer.y_type_ == "multiclass" and self.loss == "log_loss"
        return "softmax" if is_softmax else "logistic"

    def _validate_input(self, X, y, incremental, reset):
        X, y = self._checked_pair(X, y, reset, all_finite=False)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer()
            self._label_binarizer.fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
            # It has the right message where labels are of another kind than before.
            if (self._label_binarizer.y_type_, y.ndim) not in (("binary", 1), ("multiclass", 1)):
                self._label_binarizer.transform(y)
        return X, self._targets(y)

    def _check_classes(self, classes):
        """Refuses classes that are not those of the last fit."""
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _targets(self, y):
        """Checked labels as the core takes them."""
        if self._label_binarizer.y_type_.startswith("multilabel"):
            if self.label_smoothing:
                raise ValueError("label_smoothing is for one class a row, but rows have several labels: leave it out")
            return Numbers(self._label_binarizer.transform(y))
        labels = np.searchsorted(self.classes_, y)
        one_each = self.loss == "binary_log_loss" and len(self.classes_) > 2
        return Classes(labels, len(self.classes_), one_each)

    def _weights(self, targets, sample_weight):
        """The weight of each row: its own, times that of its class."""
        if self.class_weight is None:
            return None if sample_weight is None else np.ascontiguousarray(sample_weight, np.float64)
        if targets.labels is None:
            raise ValueError("class_weight is for one class a row, but rows have several labels: use sample_weight")
        weights = compute_sample_weight(self.class_weight, self.classes_[targets.labels])
        return weights if sample_weight is None else weights * sample_weight

    def _given_validation(self, validation_data):
        X, y = self._checked_pair(*validation_data, reset=False)
        unknown = np.setdiff1d(unique_labels(y), self.classes_)
        if len(unknown):
            raise ValueError(f"there are classes that are not in y: {unknown}")
        return Validation(rows_of(X), self._targets(y), None)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
