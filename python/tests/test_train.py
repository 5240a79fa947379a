"""Training by a recipe and data sets by name: what the command line does."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import steepest

pytestmark = pytest.mark.steepest_only

SMALL = {"rows": "..600", "val_split": 100, "hidden": [16], "threads": 1}


def command(*arguments, cwd):
    done = subprocess.run([sys.executable, "-m", "steepest", *arguments], capture_output=True, text=True, timeout=120, cwd=cwd)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flags, keywords", [
    ([], {}),
    (["--precision", "f64", "--lr", "0.01", "--set", "training.l2=0.001", "--set", "network.activation=tanh"],
     {"precision": "f64", "lr": 0.01, "training__l2": 0.001, "set": {"network.activation": "tanh"}}),
])
def test_the_same_model_as_the_command_line(flags, keywords, tmp_path):
    """To the last bit: the files are equal; and a run leaves the same in its folder."""
    small = ["--rows", "..600", "--val-split", "100", "--hidden", "16", "--seed", "5", "--epochs", "4"]
    command("train", "digits", *small, *flags, "--out", "run", "--quiet", cwd=tmp_path)
    run = steepest.train("digits", seed=5, epochs=4, out=tmp_path / "ours", **SMALL, **keywords)
    run.save(tmp_path / "saved")
    in_memory = steepest.train("digits", seed=5, epochs=4, **{**SMALL, "threads": 2}, **keywords)
    in_memory.save(tmp_path / "in-memory")
    files = ["run/model.safetensors", "ours/model.safetensors", "saved", "in-memory"]
    sums = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in files}
    assert len(sums) == 1
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "ours").iterdir())
    for name in ("plan.toml", "metrics.csv", "start.json"):
        assert (tmp_path / "run" / name).read_text() == (tmp_path / "ours" / name).read_text()
    assert steepest.load(tmp_path / "run").recipe == run.recipe


def test_a_run_repeats_by_its_recipe():
    first = steepest.train(epochs=2, **SMALL)
    again = steepest.train(first.recipe, threads=2)
    assert again.history == first.history
    for a, b in zip(first.model.coefs, again.model.coefs):
        assert_array_equal(a, b)


def test_what_a_run_says():
    run = steepest.train(epochs=3, **SMALL)
    assert [line["epoch"] for line in run.history] == [1, 2, 3] and run.end == "finished"
    assert run.history[0].keys() == {"iteration", "epoch", "lr", "loss", "accuracy", "val_loss", "val_accuracy"}
    assert run.history[2]["loss"] < run.history[0]["loss"]
    assert run.figures["epochs"] == 3 and 0 <= run.figures["test_accuracy"] <= 1
    assert run.evaluate("digits/test")["accuracy"] == pytest.approx(run.figures["test_accuracy"])
    assert "<svg" in run._repr_html_() and "polyline" in run._repr_html_() and "finished" in repr(run)


def test_a_dict_is_a_recipe():
    recipe = {"name": "mine", "data": {"train": "digits/train", "rows": "..300", "val_split": 0},
              "network": {"hidden": [8], "output": None}, "training": {"iterations": 5, "optimizer": "sgd", "lr": 0.1}}
    run = steepest.train(recipe, lr=0.2)
    assert run.recipe["name"] == "mine" and run.recipe["training"]["lr"] == 0.2 and run.figures["iterations"] == 5


def test_reports_are_told_and_may_end_a_run():
    seen = []

    def hear(report):
        seen.append(report)
        return len(seen) == 2

    run = steepest.train(epochs=50, on_report=hear, **SMALL)
    assert run.end == "ended" and run.history == seen and len(seen) == 2
    assert run.evaluate("digits/test")["accuracy"] > 0.05

    def fail(report):
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        steepest.train(epochs=50, on_report=fail, **SMALL)


def test_a_terminal_shows_one_line(monkeypatch):
    """It is rewritten while the network learns, and gone in the end; elsewhere nothing is shown."""
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    steepest.train(epochs=2, **SMALL)
    assert screen.getvalue() == ""
    screen.isatty = lambda: True
    steepest.train(epochs=2, **SMALL)
    shown = screen.getvalue()
    lines = shown.split("\r\x1b[K")
    assert "\n" not in shown and lines[0] == lines[-1] == "" and "epoch 1  loss" in lines[1]
    assert lines[-2].startswith("100 %  epoch 2  loss") and "validation accuracy 0." in lines[-2]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("with_folder", [False, True])
def test_ctrl_c_ends_with_what_there_is(with_folder, tmp_path):
    out = tmp_path / "run" if with_folder else None
    begun = threading.Event()
    pressed = []

    def press():
        begun.wait(60)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    run = steepest.train(epochs=100_000, out=out, on_report=lambda report: begun.set(), **SMALL)
    assert time.monotonic() - pressed[0] < 1
    thread.join()
    assert run.end == "interrupted" and run.history and run.figures == {}
    assert run.model.predict(np.zeros((1, 784), np.uint8)).shape == (1,)
    if with_folder:
        assert list((out / "checkpoints").iterdir())


def test_other_threads_go_on():
    """Python's lock is free while it learns."""
    done = threading.Event()
    counts = []

    def count():
        n = 0
        while not done.is_set():
            n += 1
            time.sleep(0.001)
        counts.append(n)

    thread = threading.Thread(target=count)
    thread.start()
    began = time.monotonic()
    steepest.train(epochs=60, rows="..3000", val_split=100, threads=1, on_report=lambda report: None)
    took = time.monotonic() - began
    done.set()
    thread.join()
    assert counts[0] > 50 * took


@pytest.mark.parametrize("arguments, keywords, error, said", [
    (("no-such",), {}, ValueError, 'no recipe named "no-such"'),
    ((), {"hiden": [3]}, ValueError, "^unexpected argument '--hiden'"),
    ((), {"training__no_such": 3}, ValueError, "no_such"),
    ((), {"data": "missing.csv"}, FileNotFoundError, "missing.csv"),
    ((), {"epochs": -1}, ValueError, "-1"),
    ((), {"resume": "runs/x"}, TypeError, "resume"),
    (({"network": {"hiden": [3]}},), {}, ValueError, "hiden"),
    ((), {"lr": 1e30, "optimizer": "sgd", **SMALL}, ValueError, "diverge|finite"),
])
def test_bad_input(arguments, keywords, error, said):
    with pytest.raises(error, match=said):
        steepest.train(*arguments, **keywords)


def test_generated_digits():
    X, y = data = steepest.load_data("digits/train", rows=slice(10, 60))
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((50, 784), np.uint8, (50,), np.int64)
    assert data.images.shape == (50, 28, 28) and np.shares_memory(data.images, X)
    assert data.names == [str(i) for i in range(10)] and len(data) == 50 and X.max() > 200
    assert_array_equal(X[:5], steepest.load_data("digits", rows="10..15").X)
    assert not np.array_equal(X, steepest.load_data("digits:1", rows=slice(10, 60)).X)


def test_files(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "words.csv").write_text("a,b,label\n1,2.5,yes\n3,4.5,no\n5,6.5,yes\n")
    X, y = steepest.load_data(tmp_path / "words.csv")
    assert X.dtype.kind == "f" and X.tolist() == [[1, 2.5], [3, 4.5], [5, 6.5]] and y.tolist() == ["yes", "no", "yes"]
    assert steepest.load_data(tmp_path / "words.csv", rows=slice(1, None)).y.tolist() == ["no", "yes"]
    images, labels = rng.integers(0, 256, (6, 4, 5)).astype(np.uint8), np.array([3, 1, 2, 3, 0, 1])
    np.savez(tmp_path / "faces.npz", faces=images, who=labels)
    data = steepest.load_data(tmp_path / "faces.npz", arrays="X=faces,y=who")
    assert_array_equal(data.images, images)
    assert_array_equal(data.y, labels)
    values = rng.normal(size=(6, 2))
    np.savez(tmp_path / "values.npz", X=values, y=values * 2)
    X, y = steepest.load_data(tmp_path / "values.npz")
    assert_array_equal(y, values * 2)
    np.save(tmp_path / "alone.npy", values)
    assert steepest.load_data(tmp_path / "alone.npy").y is None


@pytest.mark.parametrize("name, keywords, error, said", [
    ("missing.csv", {}, FileNotFoundError, "missing.csv"), ("digits", {"rows": "a"}, ValueError, "a"),
    ("digits", {"rows": slice(0, 9, 2)}, ValueError, "step"), ("digits", {"rows": slice(-5, None)}, ValueError, "slice"),
    ("digits/valid", {}, ValueError, "valid"), ("digits", {"rows": slice(5, 5)}, ValueError, "5"),
])
def test_data_that_are_not_there(name, keywords, error, said):
    with pytest.raises(error, match=said):
        steepest.load_data(name, **keywords)
