"""Estimators in files: saved, loaded, exported."""

import json
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from steepest import _core
from steepest._recipe import recipe_of

# Fitted attributes that a file keeps beside the network, where an estimator has them.
_ATTRIBUTES = (
    "n_iter_",
    "t_",
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "out_activation_",
)


class FileSupport:
    """``save``, ``load`` and ``export``."""

    def save(self, path: str | os.PathLike, *, divide_by: float = 1.0) -> None:
        """Save the fitted estimator as a model file.

        It is the file that the command line writes and reads (safetensors): ``steepest evaluate``, ``steepest predict`` and
        ``steepest inspect`` take it, and so does :func:`steepest.load`. Reading one runs no code, unlike a pickle.

        A file keeps the network, the parameters of the estimator, the class labels with their type (whole numbers, floats, bools,
        strings) and what the fit has left behind, such as ``loss_curve_``. It does not keep the optimizer's memory, random states
        and callbacks: ``partial_fit`` of what was loaded begins with a new optimizer. A pickle keeps the former two.

        Parameters
        ----------
        path : path-like
            The file, which is written whole or not at all.
        divide_by : float, default=1.0
            What raw rows are to be divided by before they are as ``X`` was: 255 where the estimator has learnt from pixels divided
            by it. Whoever predicts by the file then gives it raw rows; an estimator that :meth:`load` gives back does not divide.
        """
        check_is_fitted(self)
        if not (np.isfinite(divide_by) and divide_by != 0):
            raise ValueError(f"divide_by is {divide_by}: expected a number other than 0")
        attributes = {name: _plain(getattr(self, name)) for name in _ATTRIBUTES if hasattr(self, name)}
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in_"] = [str(name) for name in self.feature_names_in_]
        note = {
            "estimator": type(self).__name__,
            "parameters": _parameters(self),
            "attributes": attributes,
        }
        names: list[str] = []
        if is_classifier(self):
            is_multilabel = self._label_binarizer.y_type_.startswith("multilabel")
            note["labels"] = "multilabel" if is_multilabel else _kind(self.classes_)
            names = [] if is_multilabel else class_names(self.classes_)
        _model_of(self, names, float(divide_by)).save(Path(path), json.dumps(note))

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Load an estimator that was saved by ``save``: it predicts as that one did.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        estimator : object
            The fitted estimator.
        """
        model = _core.Model.load(Path(path))
        note = note_of(model)
        if note.get("estimator") != cls.__name__:
            what = note.get("estimator", "another program or a run")
            raise ValueError(f"{path} is a model of {what}, not of {cls.__name__}: steepest.load(path) takes any model")
        try:
            return _estimator_of(cls, model, note)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: what it says of the estimator is damaged ({error!r})") from error

    def export(self, path: str | os.PathLike) -> None:
        """Write the network for other programs.

        An ``.npz`` file has the arrays ``coefs_0``, ``intercepts_0``, ``coefs_1``, ..., ``activation``, ``out_activation``,
        and for a classifier ``classes``. With ReLU, four lines of NumPy predict by it:

        >>> model = np.load("model.npz")                                              # doctest: +SKIP
        >>> a, n = X, sum(name.startswith("coefs_") for name in model)                # doctest: +SKIP
        >>> for i in range(n):                                                        # doctest: +SKIP
        ...     a = (a if i == 0 else np.maximum(a, 0)) @ model[f"coefs_{i}"] + model[f"intercepts_{i}"]
        >>> model["classes"][a.argmax(axis=1)]     # of three classes or more         # doctest: +SKIP

        Parameters
        ----------
        path : path-like
            The file; its suffix says which form is meant: ``.npz``.
        """
        check_is_fitted(self)
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"{path} ends in {path.suffix!r}: expected .npz (save() writes a model file)")
        arrays: dict[str, Any] = {f"coefs_{i}": coef for i, coef in enumerate(self.coefs_)}
        arrays |= {f"intercepts_{i}": intercept for i, intercept in enumerate(self.intercepts_)}
        if is_classifier(self):
            classes = self.classes_
            arrays["classes"] = classes.astype(str) if classes.dtype == object else classes
        np.savez(path, activation=self.activation, out_activation=self.out_activation_, **arrays)


def note_of(model: _core.Model) -> dict[str, Any]:
    """What an estimator has kept beside the network, if one has."""
    try:
        note = json.loads(model.note or "{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _estimator_of(cls, model: _core.Model, note: dict[str, Any]):
    """The estimator of a file. What the network says for itself is not taken from the note, which may be anybody's."""
    parameters, attributes = note["parameters"], note["attributes"]
    weights = parameters.pop("class_weight", None)
    estimator = cls(**parameters)
    estimator.coefs_, estimator.intercepts_ = layers_of(model)
    estimator._best_coefs, estimator._best_intercepts = list(estimator.coefs_), list(estimator.intercepts_)
    estimator._no_improvement_count = 0
    estimator._random_state = check_random_state(None)
    estimator.n_features_in_, estimator.n_outputs_ = model.sizes[0], model.sizes[-1]
    estimator.n_layers_ = len(model.sizes)
    for name in _ATTRIBUTES:
        if name in attributes:
            setattr(estimator, name, attributes[name])
    if "feature_names_in_" in attributes:
        estimator.feature_names_in_ = np.array(attributes["feature_names_in_"], object)
        if estimator.feature_names_in_.shape != (model.sizes[0],):
            raise ValueError("other names of features than features")
    if is_classifier(estimator):
        is_multilabel = note["labels"] == "multilabel"
        labels = np.eye(model.sizes[-1], dtype=int) if is_multilabel else labels_of(model.classes, note["labels"])
        estimator._label_binarizer = LabelBinarizer().fit(labels)
        estimator.classes_ = estimator._label_binarizer.classes_
        if isinstance(weights, list):
            weights = dict(zip(estimator.classes_.tolist(), weights, strict=True))
        estimator.class_weight = weights
    estimator._make_network()
    return estimator


def _model_of(estimator, names: list[str], divide_by: float) -> _core.Model:
    """The estimator's network with all that it takes to predict."""
    coefs = [np.ascontiguousarray(coef) for coef in estimator.coefs_]
    intercepts = [np.ascontiguousarray(intercept) for intercept in estimator.intercepts_]
    if estimator.batch_size != "auto":
        batch_size = int(estimator.batch_size)
    else:
        batch_size = "full" if estimator.solver == "lbfgs" else 200
    recipe = json.loads(recipe_of(estimator, coefs[0].dtype, batch_size, max(1, int(estimator.n_iter_))))
    recipe["data"] |= {"train": "arrays in memory", "divide_by": divide_by}
    return _core.Model.of(json.dumps(recipe), coefs, intercepts, names)


def layers_of(model: _core.Model) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A model's weights ``(n_in, n_out)`` and biases ``(n_out)`` as new arrays."""
    sizes = model.sizes
    coefs = [np.empty(shape, model.dtype) for shape in zip(sizes, sizes[1:])]
    intercepts = [np.empty(n_out, model.dtype) for n_out in sizes[1:]]
    model.write(coefs, intercepts)
    return coefs, intercepts


def _parameters(estimator) -> dict[str, Any]:
    """The estimator's parameters as JSON takes them."""
    parameters = estimator.get_params(deep=False)
    del parameters["callbacks"]
    if not isinstance(parameters["random_state"], (int, np.integer)):
        parameters["random_state"] = None
    if parameters["dtype"] is not None:
        parameters["dtype"] = np.dtype(parameters["dtype"]).name
    weights = parameters.get("class_weight")
    if isinstance(weights, dict):
        parameters["class_weight"] = [float(weights.get(label, 1.0)) for label in estimator.classes_]
    return {name: _plain(value) for name, value in parameters.items()}


def _plain(value):
    """Numbers and lists as JSON takes them."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _kind(classes: np.ndarray) -> str:
    """The type of labels, as :func:`labels_of` takes it."""
    if len(classes) < 2:
        raise ValueError(f"all rows had the same class ({classes[0]}): a model file is for two classes or more")
    if classes.dtype == object and all(type(label) is str for label in classes):
        return "object"
    if classes.dtype.kind in "biufU":
        return classes.dtype.str
    raise ValueError(
        f"the labels are of type {classes.dtype} ({classes[0]!r}): a model file has whole numbers, floats, bools and strings; "
        "pickle keeps others"
    )


def class_names(classes: np.ndarray) -> list[str]:
    """Labels as text: as they stand in a CSV file. Floats that are whole numbers are written as such."""
    if classes.dtype.kind == "f":
        return [str(int(label)) if label == int(label) else repr(float(label)) for label in classes]
    return [str(label) for label in classes]


def labels_of(names: list[str], kind: str | None = None) -> np.ndarray:
    """Names of classes as labels of a type; by default whole numbers where all are such, else strings."""
    if kind is None:
        kind = "int64" if names and all(_is_whole(name) for name in names) else "U"
    if kind == "object":
        return np.array(names, object)
    dtype = np.dtype(kind)
    if dtype.kind == "b":
        return np.array([name == "True" for name in names])
    if dtype.kind in "iu":
        return np.array([int(name) for name in names], dtype)
    if dtype.kind == "f":
        return np.array([float(name) for name in names], dtype)
    return np.array(names, "U")


def _is_whole(name: str) -> bool:
    """Whether a name is a whole number of 64 bits as Python would write it."""
    digits = name.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(name)) == name
