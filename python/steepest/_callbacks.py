"""What is told of a fit while it goes on: to scikit-learn's callbacks (from 1.9 on), and to functions."""

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks
except ImportError:

    class CallbackSupport:
        """scikit-learn before 1.9 has no callbacks."""

    def with_callbacks(method):
        """The method as it is."""
        return method


class Progress:
    """A fit as its callbacks see it: one task, with an iteration (an epoch) for each of its subtasks."""

    def __init__(self, estimator, given, sample_weight):
        self.estimator = estimator
        self.X, self.y = given
        self.metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        functions = estimator.callbacks
        self.functions = [functions] if callable(functions) else list(functions or ())
        self.context = self.trainer = self.task = None

    def begin(self, trainer):
        """The fit begins with this trainer."""
        self.trainer = trainer
        estimator = self.estimator
        if hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx"):
            self.context = estimator._init_callback_context(max_subtasks=estimator.max_iter)
            self.context.call_on_fit_task_begin(**self._task())
            self._begin_iteration()

    def step(self):
        """An iteration is done; whether a callback wants it to be the last."""
        stops = False
        if self.context is not None:
            stops = self.task.call_on_fit_task_end(reconstruction_attributes=self._fitted, **self._task())
            self.task = None
        if self.functions:
            estimator = self.estimator
            estimator.coefs_, estimator.intercepts_ = estimator._take(self.trainer)
            # All of them, also those behind one that has seen enough.
            stops |= any([bool(function(estimator)) for function in self.functions])
        if self.context is not None and not stops and self.estimator.n_iter_ < self.estimator.max_iter:
            self._begin_iteration()
        return stops

    def end(self):
        """The fit is over."""
        if self.context is not None:
            self.context.call_on_fit_task_end(reconstruction_attributes=self._fitted, **self._task())

    def _begin_iteration(self):
        self.task = self.context.subcontext(task_name="iteration")
        self.task.call_on_fit_task_begin(**self._task())

    def _task(self):
        return {"estimator": self.estimator, "X": self.X, "y": self.y, "metadata": self.metadata}

    def _fitted(self):
        """What an estimator needs to predict as this one would now."""
        coefs, intercepts = self.estimator._take(self.trainer)
        return {"coefs_": coefs, "intercepts_": intercepts}
