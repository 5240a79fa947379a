"""Models: what training leaves, and what predicts."""

import os
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from steepest import _core
from steepest._data import Data, load_data
from steepest._files import labels_of, layers_of, note_of
from steepest._threads import thread_count


def load(path: str | os.PathLike) -> "Model":
    """Load a model file: of the command line, of :func:`steepest.train`, or of an estimator's ``save``.

    Parameters
    ----------
    path : path-like
        The file, or the folder of a run.

    Returns
    -------
    model : Model
        The model.
    """
    path = Path(path)
    return Model(_core.Model.load(path / "model.safetensors" if path.is_dir() else path))


class Model:
    """A trained network with all that it takes to predict from raw rows: scaling, class names, the recipe.

    :func:`steepest.load` gives one, and the attribute ``model`` of :class:`steepest.Run`.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,) or None
        The labels: whole numbers where all classes are such, else strings; of an estimator as it had them. None where it predicts
        numbers, or several labels a row.
    n_features : int
        Numbers in a row. Of a model of a table, what its columns become.
    image : tuple (height, width) or None
        The size, where rows are images.
    columns : list of str or None
        The columns that a model of a table predicts from.
    recipe : dict
        The complete recipe that it was trained by.
    coefs, intercepts : list of ndarray
        Copies of the weights ``(n_in, n_out)`` and biases ``(n_out)``, for inputs divided by ``recipe["data"]["divide_by"]``.
    """

    def __init__(self, core: _core.Model) -> None:
        self._core = core
        self.classes: np.ndarray | None = _labels(core)
        self.n_features: int = core.sizes[0]
        self.image: tuple[int, int] | None = core.image
        self.columns: list[str] | None = core.columns
        self.recipe: dict[str, Any] = tomllib.loads(core.recipe)

    @property
    def coefs(self) -> list[np.ndarray]:
        return layers_of(self._core)[0]

    @property
    def intercepts(self) -> list[np.ndarray]:
        return layers_of(self._core)[1]

    def predict(self, X: Any, *, n_jobs: int | None = None) -> np.ndarray:
        """The class of each row, or its numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or of images (n_samples, height, width)
            Raw rows, as in the data that it learnt from: pixels from 0 to 255 for a model of images. Arrays of uint8, float32 and
            float64 in C order are used where they are. For a model of a table a DataFrame with its columns, or the path
            of a CSV file. If what the model predicts of a row depends on the others, all rows are one batch.
        n_jobs : int or None, default=None
            Threads, as in the estimators.

        Returns
        -------
        y : ndarray
            Labels ``(n_samples,)``; 0 and 1 ``(n_samples, n_labels)`` where a row may have several; or numbers ``(n_samples,)`` or
            ``(n_samples, n_outputs)``.
        """
        values = self._values(X, n_jobs)
        if self.classes is not None:
            numbers = np.empty(len(values), np.int64)
            self._core.write_classes(values, numbers)
            return self.classes[numbers]
        if self._core.output == "sigmoid":
            return (values > 0.5).astype(np.int64)
        return values.ravel() if values.shape[1] == 1 else values

    def predict_proba(self, X: Any, *, n_jobs: int | None = None) -> np.ndarray:
        """The probability of each class ``(n_samples, n_classes)``, in the order of ``classes``, or of each label.

        Where each of several classes has a sigmoid of its own, they are what those say and need not sum to 1.

        Parameters
        ----------
        X, n_jobs
            As in :meth:`predict`.
        """
        if self._core.output == "identity":
            raise ValueError("this model predicts numbers, not classes: use predict")
        values = self._values(X, n_jobs)
        if self.classes is not None and values.shape[1] == 1 and len(self.classes) == 2:
            return np.hstack([1 - values, values])
        return values

    def evaluate(self, data: Any, y: Any = None, *, n_jobs: int | None = None) -> dict[str, float]:
        """Loss and accuracy, or for numbers loss, R2, mean absolute error and root of the mean squared error.

        Parameters
        ----------
        data : str, path-like, Data or array-like
            A data set as the command line names it (of one with parts the test part), one that :func:`load_data` gave, or raw rows.
        y : array-like, default=None
            Labels or numbers of the raw rows.
        n_jobs : int or None, default=None
            Threads, as in the estimators.
        """
        threads = thread_count(n_jobs)
        if isinstance(data, Data):
            data, y = data.X, data.y
        if y is None and isinstance(data, (str, os.PathLike)):
            if self.columns is not None:
                found = self._core.evaluate_table(os.fspath(data), threads)
            else:
                found = self._core.evaluate(_core.DataSet.load(os.fspath(data), test_part=True), threads)
        else:
            if y is None:
                raise ValueError("rows alone cannot be evaluated: give their labels as y")
            if self.columns is not None:
                raise ValueError("a model of a table is evaluated on a table: give the path of a CSV file")
            found = self._core.evaluate(self._data_set(_rows(data), np.asarray(y)), threads)
        loss, accuracy, regression = found
        if regression is not None:
            return {"loss": loss, **dict(zip(("r2", "mae", "rmse"), regression))}
        return {"loss": loss} if accuracy is None else {"loss": loss, "accuracy": accuracy}

    def save(self, path: str | os.PathLike) -> None:
        """Save the model as a file, whole or not at all.

        Parameters
        ----------
        path : path-like
            The file.
        """
        self._core.save(Path(path), self._core.note)

    def _data_set(self, X: np.ndarray, y: np.ndarray) -> _core.DataSet:
        if self.classes is None:
            return _core.DataSet.of(X, None, [], np.ascontiguousarray(y.reshape(len(y), -1), np.float64))
        labels, numbers = np.unique(y, return_inverse=True)
        unknown = [label for label in labels.tolist() if label not in self.classes.tolist()]
        if unknown:
            raise ValueError(f"y has classes that the model does not know: {unknown[:10]}")
        places = {label: place for place, label in enumerate(self.classes.tolist())}
        of_labels = np.array([places[label] for label in labels.tolist()], np.uint32)
        return _core.DataSet.of(X, of_labels[numbers.reshape(-1)], self._core.classes, None)

    def _values(self, X: Any, n_jobs: int | None) -> np.ndarray:
        threads = thread_count(n_jobs)
        if isinstance(X, Data):
            X = X.X
        is_frame = hasattr(X, "to_csv") and hasattr(X, "columns")
        if self.columns is not None and is_frame:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "DataFrame.csv")
                X.to_csv(path, index=False)
                return self._table_values(path, threads)
        if isinstance(X, (str, os.PathLike)):
            if self.columns is not None:
                return self._table_values(os.fspath(X), threads)
            X = load_data(X).X
        X = _rows(X)
        values = np.empty((len(X), self._core.sizes[-1]), self._core.dtype)
        self._core.predict(X, values, threads)
        return values

    def _table_values(self, path: str, threads: int) -> np.ndarray:
        values = np.array(self._core.predict_table(path, threads), self._core.dtype)
        return values.reshape(-1, self._core.sizes[-1])

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self._core.sizes))
        return f"<steepest.Model {self.recipe['name']}: {sizes}, {self._core.dtype}>"


def _labels(core: _core.Model) -> np.ndarray | None:
    """The classes, of the type that an estimator's labels had."""
    if not core.classes:
        return None
    try:
        return labels_of(core.classes, note_of(core).get("labels"))
    except (TypeError, ValueError):
        return labels_of(core.classes)


def _rows(X: Any) -> np.ndarray:
    """Rows as the core takes them."""
    X = np.asarray(X)
    if X.ndim < 2:
        raise ValueError(f"expected rows, an array (n_samples, n_features), got one of shape {X.shape}: X.reshape(1, -1) is one row")
    X = X.reshape(len(X), int(np.prod(X.shape[1:])))
    if X.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers, got an array of {X.dtype}")
    if X.dtype not in (np.uint8, np.float32, np.float64):
        X = X.astype(np.float32 if X.dtype == np.float16 else np.float64)
    return np.ascontiguousarray(X)
