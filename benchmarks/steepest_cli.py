"""The binary as these scripts see it: files in, one JSON object out. The only place that knows its flags."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

import notebooks as nbs
from notebooks import Array, Named, Notebook

PRECISION = {np.float32: "f32", np.float64: "f64"}


def to_layers(nb: Notebook, w: Named) -> Named:
    """A notebook's weights as `layers.{i}.weight` (n_out, n_in) and `layers.{i}.bias` (n_out,)."""
    if nb.stochastic:
        named = {"layers.0.weight": w["l1"].T, "layers.1.weight": w["l2"].T}
    else:
        named = {"layers.0.weight": w["w1"], "layers.0.bias": w["b1"].ravel(),
                 "layers.1.weight": w["w2"], "layers.1.bias": w["b2"].ravel()}
    return {name: np.ascontiguousarray(value) for name, value in named.items()}


def info_command(binary: Path, data: Path) -> list[str]:
    """Reads a data set and prints its figures, on as many threads as there are cores to run on."""
    return [str(binary.resolve()), "data", "info", str(data), "--offline", "--json"]


def version_command(binary: Path) -> list[str]:
    return [str(binary.resolve()), "--version"]


@dataclass
class Steepest:
    binary: Path
    threads: int
    extra: list[str] = field(default_factory=list)  # further arguments for every run


def call(steepest: Steepest, folder: Path, arguments: list[str]) -> dict:
    """A training run inside `folder`, so that its own files go with it."""
    command = [str(steepest.binary.resolve()), *arguments, "--threads", str(steepest.threads), *steepest.extra]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


@dataclass
class Answer:
    layers: Named
    seconds: float  # the training loop alone, as the binary measured it
    json: dict


class Case:
    """One notebook's rows, weights and batches, written once to `folder`, to be trained from by both sides."""

    def __init__(self, nb: Notebook, folder: Path, weights: Named, train: tuple[Array, Array],
                 test: tuple[Array, Array] | None = None, validation: tuple[Array, Array] | None = None,
                 batches: Array | None = None):
        self.nb, self.folder, self.weights, self.train = nb, folder, weights, train
        self.test, self.validation, self.batches = test, validation, batches
        parts = {"x_train": train[0], "y_train": train[1]}
        if test is not None:
            parts |= {"x_test": test[0], "y_test": test[1]}
        np.savez(folder / "rows.npz", **parts)
        if validation is not None:
            np.savez(folder / "val.npz", x_train=validation[0], y_train=validation[1])
        if batches is not None:
            np.save(folder / "batches.npy", batches)

    def numpy(self, dtype: type, iterations: int) -> nbs.Result:
        x = nbs.prepare(self.nb, self.train[0], dtype)
        return nbs.train(self.nb, x, self.train[1], self.weights, iterations, dtype, self.batches, self.validation)

    def numpy_test_accuracy(self, result: nbs.Result, dtype: type) -> float | None:
        if self.test is None:
            return None
        return nbs.accuracy(self.nb, result.weights, nbs.prepare(self.nb, self.test[0], dtype), self.test[1])

    def steepest(self, steepest: Steepest, dtype: type, iterations: int) -> Answer:
        precision = PRECISION[dtype]
        save_file(to_layers(self.nb, nbs.cast(self.weights, dtype)), self.folder / f"w-{precision}.safetensors")
        command = ["train", self.nb.recipe, "--data", "rows.npz/train",
                   "--init-from", f"w-{precision}.safetensors", "--precision", precision,
                   "--iterations", str(iterations), "--set", "data.shuffle=false", "--json"]
        command += ["--val-data", "val.npz"] if self.validation is not None else ["--val-split", "0"]
        command += ["--test-data", "rows.npz/test"] if self.test is not None else []
        command += ["--batches", "batches.npy"] if self.batches is not None else []
        answer = call(steepest, self.folder, command)
        layers = load_file(self.folder / answer["model"])  # an absolute path stays as it is
        return Answer(layers, answer["seconds"], answer)
