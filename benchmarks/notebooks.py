"""The arithmetic of the four NumPy notebooks, as functions.

Every expression keeps the notebook's own operations and their order, mistakes included, so that a
run from equal weights gives the notebook's bits. Nothing here is meant to be good practice.

Each notebook is a `Notebook`: four functions (init, forward, backward, update) and its constants.
The functions pass dictionaries of named arrays, so that the quantities of a step (`traces`) are
what the training loop itself computed.

How each notebook splits its rows is in `mnist_rows.py`.

Shapes, 0 to 2: x (n_in, batch), w1 (10, n_in), b1 (10, 1), w2 (10, 10), b2 (10, 1).
Shapes, 3: x (batch, n_in) as bytes, l1 (n_in, hidden), l2 (hidden, 10); no biases.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Named = dict[str, Array]
CLASSES = 10


def _relu(z: Array) -> Array:
    return np.maximum(z, 0)


def _one_hot(y: Array, dtype: np.dtype) -> Array:
    one_hot = np.zeros((CLASSES, y.size), dtype)
    one_hot[y, np.arange(y.size)] = 1
    return one_hot


def _forward(w: Named, x: Array, softmax: Callable[[Array], Array]) -> Named:
    z1 = w["w1"].dot(x) + w["b1"]
    a1 = _relu(z1)
    z2 = w["w2"].dot(a1) + w["b2"]
    return {"z1": z1, "a1": a1, "z2": z2, "a2": softmax(z2)}


def _init_uniform(rng: np.random.RandomState, n_in: int = 784, hidden: int = CLASSES) -> Named:
    w1 = rng.rand(hidden, n_in) - 0.5
    b1 = rng.rand(hidden, 1) - 0.5
    w2 = rng.rand(CLASSES, hidden) - 0.5
    b2 = rng.rand(CLASSES, 1) - 0.5
    return {"w1": w1, "b1": b1, "w2": w2, "b2": b2}


# ---------------------------------------------------------------- notebook 0: kaggle-csv-relu

def _softmax_0(z: Array) -> Array:
    exp = np.exp(z - np.max(z))  # the maximum of the whole batch, not of each sample
    return exp / exp.sum(axis=0)


def _one_hot_0(y: Array, dtype: np.dtype) -> Array:
    one_hot = np.zeros((y.size, y.max() + 1), dtype)  # breaks where the highest class is missing
    one_hot[np.arange(y.size), y] = 1
    return one_hot.T


def _forward_0(w: Named, x: Array) -> Named:
    return _forward(w, x, _softmax_0)


def _backward_0(w: Named, q: Named, x: Array, y: Array) -> Named:
    m = x.shape[1]
    dz2 = 2 * (q["a2"] - _one_hot_0(y, x.dtype))  # twice the gradient of the cross-entropy
    dw2 = 1 / m * dz2.dot(q["a1"].T)
    db2 = 1 / m * np.sum(dz2, 1)
    dz1 = w["w2"].T.dot(dz2) * (q["z1"] > 0)
    dw1 = 1 / m * dz1.dot(x.T)
    db1 = 1 / m * np.sum(dz1, 1)
    return {"dz2": dz2, "dw2": dw2, "db2": db2, "dz1": dz1, "dw1": dw1, "db1": db1}


def _update_0(w: Named, g: Named, alpha: float) -> Named:
    w["w1"] -= alpha * g["dw1"]
    w["b1"] -= alpha * np.reshape(g["db1"], (-1, 1))
    w["w2"] -= alpha * g["dw2"]
    w["b2"] -= alpha * np.reshape(g["db2"], (-1, 1))
    return w


# ---------------------------------------------------------------- notebook 1: keras-npz-relu

def _init_1(rng: np.random.RandomState, n_in: int = 784, hidden: int = CLASSES) -> Named:
    w1 = rng.randn(hidden, n_in) * np.sqrt(1.0 / n_in)
    b1 = rng.randn(hidden, 1) * 0.01
    w2 = rng.randn(CLASSES, hidden) * np.sqrt(1.0 / hidden)
    b2 = rng.randn(CLASSES, 1) * 0.01
    return {"w1": w1, "b1": b1, "w2": w2, "b2": b2}


def _softmax_1(z: Array) -> Array:
    exp_z = np.exp(z - np.max(z, axis=0, keepdims=True))
    return exp_z / np.sum(exp_z, axis=0, keepdims=True)


def _forward_1(w: Named, x: Array) -> Named:
    return _forward(w, x, _softmax_1)


def _backward_1(w: Named, q: Named, x: Array, y: Array) -> Named:
    m = y.size
    dz2 = q["a2"] - _one_hot(y, x.dtype)
    dw2 = (1 / m) * np.dot(dz2, q["a1"].T)
    db2 = (1 / m) * np.sum(dz2, axis=1, keepdims=True)
    # The notebook casts the mask with astype(float), which would carry float32 up to float64.
    dz1 = np.dot(w["w2"].T, dz2) * (q["z1"] > 0).astype(x.dtype)
    dw1 = (1 / m) * np.dot(dz1, x.T)
    db1 = (1 / m) * np.sum(dz1, axis=1, keepdims=True)
    return {"dz2": dz2, "dw2": dw2, "db2": db2, "dz1": dz1, "dw1": dw1, "db1": db1}


def _update_1(w: Named, g: Named, alpha: float) -> Named:
    for name in w:
        w[name] -= alpha * g["d" + name]
    return w


# ---------------------------------------------------------------- notebook 2: mnist-csv-relu

def _softmax_2(z: Array) -> Array:
    return np.exp(z) / np.sum(np.exp(z), axis=0)  # no shift: overflows for large z


def _forward_2(w: Named, x: Array) -> Named:
    return _forward(w, x, _softmax_2)


def _backward_2(w: Named, q: Named, x: Array, y: Array) -> Named:
    m = len(y)
    dz2 = q["a2"] - _one_hot(y, x.dtype)
    dw2 = 1 / m * np.dot(dz2, q["a1"].transpose())
    db2 = 1 / m * np.sum(dz2)  # over all units: one number, for this layer zero but for rounding
    dz1 = np.dot(w["w2"].transpose(), dz2) * (q["z1"] > 0)
    dw1 = 1 / m * np.dot(dz1, x.transpose())
    db1 = 1 / m * np.sum(dz1)  # the same for the hidden layer, where it is not zero
    return {"dz2": dz2, "dw2": dw2, "db2": db2, "dz1": dz1, "dw1": dw1, "db1": db1}


def _update_2(w: Named, g: Named, alpha: float) -> Named:
    return {name: w[name] - alpha * g["d" + name] for name in w}


# ---------------------------------------------------------------- notebook 3: idx-sigmoid

def _init_3(rng: np.random.RandomState, n_in: int = 784, hidden: int = 128) -> Named:
    def layer(x: int, y: int) -> Array:
        return (rng.uniform(-1.0, 1.0, size=(x, y)) / np.sqrt(x * y)).astype(np.float32)

    return {"l1": layer(n_in, hidden), "l2": layer(hidden, CLASSES)}


def _sigmoid(x: Array) -> Array:
    return 1 / (np.exp(-x) + 1)


def _d_sigmoid(x: Array) -> Array:
    return (np.exp(-x)) / ((np.exp(-x) + 1) ** 2)


def _softmax_3(x: Array) -> Array:
    # Rows are samples here, so axis 0 normalises each class over the batch.
    exp_element = np.exp(x - x.max())
    return exp_element / np.sum(exp_element, axis=0)


def _d_softmax(x: Array) -> Array:
    exp_element = np.exp(x - x.max())
    # An elementwise p (1 - p) in place of the softmax's Jacobian.
    return exp_element / np.sum(exp_element, axis=0) * (1 - exp_element / np.sum(exp_element, axis=0))


def _forward_3(w: Named, x: Array) -> Named:
    x_l1 = x.dot(w["l1"])  # bytes times floats: NumPy widens the bytes to the weights' type
    x_sigmoid = _sigmoid(x_l1)
    x_l2 = x_sigmoid.dot(w["l2"])
    return {"x_l1": x_l1, "x_sigmoid": x_sigmoid, "x_l2": x_l2, "out": _softmax_3(x_l2)}


def _backward_3(w: Named, q: Named, x: Array, y: Array) -> Named:
    targets = np.zeros((len(y), CLASSES), np.float32)
    targets[range(targets.shape[0]), y] = 1
    out = q["out"]
    d_softmax = _d_softmax(q["x_l2"])
    error_l2 = 2 * (out - targets) / out.shape[0] * d_softmax
    update_l2 = q["x_sigmoid"].T @ error_l2
    d_sigmoid = _d_sigmoid(q["x_l1"])
    error_l1 = ((w["l2"]).dot(error_l2.T)).T * d_sigmoid
    update_l1 = x.T @ error_l1
    return {"targets": targets, "d_softmax": d_softmax, "error_l2": error_l2,
            "update_l2": update_l2, "d_sigmoid": d_sigmoid, "error_l1": error_l1,
            "update_l1": update_l1}


def _update_3(w: Named, g: Named, lr: float) -> Named:
    return {name: w[name] - lr * g["update_" + name] for name in w}


# ---------------------------------------------------------------- the four, and one loop for them

@dataclass(frozen=True)
class Notebook:
    number: int
    recipe: str
    init: Callable[..., Named]
    forward: Callable[[Named, Array], Named]
    backward: Callable[[Named, Named, Array, Array], Named]
    update: Callable[[Named, Named, float], Named]
    learning_rate: float
    iterations: int
    every: int  # iterations between two recorded accuracies

    @property
    def written(self) -> type:
        """The precision that the notebook computes in."""
        return np.float32 if self.stochastic else np.float64

    @property
    def stochastic(self) -> bool:
        return self.number == 3


NOTEBOOKS = [
    Notebook(0, "kaggle-csv-relu", _init_uniform, _forward_0, _backward_0, _update_0, 0.1, 500, 50),
    Notebook(1, "keras-npz-relu", _init_1, _forward_1, _backward_1, _update_1, 0.1, 1000, 50),
    Notebook(2, "mnist-csv-relu", _init_uniform, _forward_2, _backward_2, _update_2, 0.1, 1000, 100),
    Notebook(3, "idx-sigmoid", _init_3, _forward_3, _backward_3, _update_3, 0.001, 10000, 20),
]
BATCH_3 = 128


@dataclass
class Result:
    weights: Named
    history: list[dict]  # iteration, accuracy, validation_accuracy, loss: as far as the notebook has them
    seconds: float  # the loop alone


def prepare(nb: Notebook, rows: Array, dtype: type) -> Array:
    """Byte rows (n, n_in) as the notebook's x: scaled and transposed, or (3) left as they are."""
    return rows if nb.stochastic else (rows.astype(dtype) / 255).T


def cast(w: Named, dtype: type) -> Named:
    return {name: np.array(value, dtype, order="C") for name, value in w.items()}


def predict(nb: Notebook, w: Named, x: Array) -> Array:
    q = nb.forward(w, x)
    return np.argmax(q["out"], axis=1) if nb.stochastic else np.argmax(q["a2"], 0)


def accuracy(nb: Notebook, w: Named, x: Array, y: Array) -> float:
    return float(np.mean(predict(nb, w, x) == y))


def train(nb: Notebook, x: Array, y: Array, weights: Named, iterations: int, dtype: type = np.float64,
          batches: Array | None = None, validation: tuple[Array, Array] | None = None,
          every: int | None = None) -> Result:
    """The notebook's loop from given weights, which stay as they are; x comes from `prepare`.

    Accuracies, one in `every` iterations, are of the forward pass before the update; validation (3
    alone) comes after the update. `batches` (3 alone): row numbers, one line a step.
    """
    w, history, every = cast(weights, dtype), [], every or nb.every
    start = time.perf_counter()
    for i in range(iterations):
        xb, yb = (x, y) if batches is None else (x[batches[i]], y[batches[i]])
        q = nb.forward(w, xb)
        g = nb.backward(w, q, xb, yb)
        w = nb.update(w, g, nb.learning_rate)
        if i % every == 0:
            category = np.argmax(q["out"], axis=1) if nb.stochastic else np.argmax(q["a2"], 0)
            history.append({"iteration": i, "accuracy": float((category == yb).mean())})
            if nb.stochastic:  # its "loss": the squared difference of class numbers
                history[-1]["loss"] = float(((category - yb) ** 2).mean())
            if validation is not None and i % nb.every == 0:
                history[-1]["validation_accuracy"] = accuracy(nb, w, *validation)
    return Result(w, history, time.perf_counter() - start)


def traces(nb: Notebook, x: Array, y: Array, weights: Named, dtype: type = np.float64) -> Named:
    """Every quantity of one step, under the notebook's names (in small letters), and `<name>_after`."""
    w = cast(weights, dtype)
    q = nb.forward(w, x)
    g = nb.backward(w, q, x, y)
    after = nb.update(dict(w), g, nb.learning_rate)
    return q | g | {name + "_after": value for name, value in after.items()}
