"""Training by a recipe."""

import json
import os
import tomllib
from collections.abc import Callable
from typing import Any

from steepest import _core
from steepest._model import Model
from steepest._progress import Live, curve


class Run:
    """What came of :func:`train`. In a notebook it shows its curve.

    Attributes
    ----------
    model : Model
        The model.
    history : list of dict
        The reports: "iteration", "epoch", "lr", "loss", "accuracy", "val_loss", "val_accuracy". A ``pandas.DataFrame`` takes it.
    recipe : dict
        The complete recipe: :func:`train` repeats the run by it.
    end : {"finished", "converged", "stopped early", "ended", "interrupted"}
        Why it ended: "ended" is by ``on_report``, "interrupted" by Ctrl-C.
    figures : dict
        What ``steepest train --json`` prints of the end: seconds, accuracies, and so on. Empty if it was ended.
    notes : list of str
        What was decided that one should hear of.
    """

    def __init__(
        self, model: Model, recipe: str, history: list[dict], end: str, figures: str | None, notes: list[str]
    ) -> None:
        self.model, self.history, self.end, self.notes = model, history, end, notes
        self.recipe: dict[str, Any] = tomllib.loads(recipe)
        self.figures: dict[str, Any] = json.loads(figures or "{}")

    def evaluate(self, data: Any, y: Any = None, *, n_jobs: int | None = None) -> dict[str, float]:
        """:meth:`Model.evaluate` of the run's model."""
        return self.model.evaluate(data, y, n_jobs=n_jobs)

    def save(self, path: str | os.PathLike) -> None:
        """:meth:`Model.save` of the run's model."""
        self.model.save(path)

    def __repr__(self) -> str:
        return f"<steepest.Run {self._headline()}>"

    def _repr_html_(self) -> str:
        return f"<div>{self._headline()}</div>{curve(self.history)}"

    def _headline(self) -> str:
        line = f"{self.recipe['name']}: {self.end}"
        for name in ("train", "validation", "test"):
            if (accuracy := self.figures.get(f"{name}_accuracy")) is not None:
                line += f", {name} accuracy {accuracy:.4f}"
            elif (r2 := self.figures.get(f"{name}_r2")) is not None:
                line += f", {name} R2 {r2:.4f}"
        return line


def train(
    recipe: str | os.PathLike | dict[str, Any] = "digits",
    *,
    data: str | os.PathLike | None = None,
    seed: int | None = None,
    epochs: int | None = None,
    out: str | os.PathLike | None = None,
    on_report: Callable[[dict], bool | None] | None = None,
    threads: int | None = None,
    **flags: Any,
) -> Run:
    """Train by a recipe, as ``steepest train`` does: the same recipe, data and seed give the same model to the last bit.

    A terminal and a notebook show how far it is, in a line that is rewritten. Ctrl-C ends the run with what it has learnt by then.

    Parameters
    ----------
    recipe : str, path-like or dict, default="digits"
        A built-in recipe (``steepest recipes`` lists them), a ``.toml`` file, data to learn from, or a recipe as a dict.
    data : str or path-like, default=None
        The data set to learn from, as :func:`load_data` takes it, in place of the recipe's own.
    seed : int, default=None
        Where all random numbers come from.
    epochs : int, default=None
        Passes over the data.
    out : path-like, default=None
        The folder of the run, as the command line writes it: log, checkpoints, plan, model. ``steepest train --resume`` goes on
        with a run that was interrupted. None writes nothing.
    on_report : callable, default=None
        Called with each report, a dict as in ``Run.history``, in place of showing it. True ends the run.
    threads : int, default=None
        Threads; the result does not depend on it. None is all cores.
    **flags
        The other flags of ``steepest train``, with underscores: ``hidden=[128, 64]``, ``lr=0.01``, ``batch_size="full"``,
        ``textbook=True``. Any key of the recipe, with two underscores for the dot: ``training__l2=0.0001``.

    Returns
    -------
    run : Run
        The run.
    """
    flags = {"data": data, "seed": seed, "epochs": epochs, "out": out, "threads": threads, **flags}
    arguments = ["steepest", "train"]
    for name, value in flags.items():
        arguments += _arguments(name, value)
    text = None
    if isinstance(recipe, dict):
        text, recipe = json.dumps(_without_none(recipe)), str(recipe.get("name", "custom"))
    arguments += ["--", os.fspath(recipe)]
    live = Live()
    report, glance = (live.report, live.glance) if on_report is None else (on_report, _nothing)
    try:
        model, complete, history, end, figures, notes = _core.train(arguments, text, report, glance)
    finally:
        live.end()
    return Run(Model(model), complete, history, end, figures, notes)


def _arguments(name: str, value: Any) -> list[str]:
    """A keyword as arguments of the command line."""
    if name in ("quiet", "json", "resume", "help", "version"):
        raise TypeError(f"train() has no keyword {name!r}: it is for the command line alone")
    if value is None or value is False and "__" not in name:
        return []
    if name == "set":
        return [f"--set={key}={_toml(item)}" for key, item in value.items()]
    if "__" in name:
        return [f"--set={name.replace('__', '.')}={_toml(value)}"]
    flag = "--" + name.replace("_", "-")
    if value is True:
        return [flag]
    if isinstance(value, slice):
        raise TypeError(f"{name} is {value}: expected text such as '..10000'")
    if name == "drop":
        return [f"{flag}={item}" for item in ([value] if isinstance(value, str) else value)]
    if hasattr(value, "__iter__") and not isinstance(value, (str, os.PathLike)):
        return [f"{flag}={','.join(str(item) for item in value) or 'none'}"]
    return [f"{flag}={os.fspath(value) if isinstance(value, os.PathLike) else value}"]


def _toml(value: Any) -> str:
    """A value of a recipe's key; JSON's numbers, texts and lists are TOML's."""
    return json.dumps(value) if not isinstance(value, dict) else _inline(value)


def _inline(table: dict) -> str:
    return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in table.items()) + "}"


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value


def _nothing(*_: Any) -> None:
    """Shows nothing."""
