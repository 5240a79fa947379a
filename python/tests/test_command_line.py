"""`python -m steepest` is the binary."""

import json
import signal
import subprocess
import sys
import time

import pytest

import steepest

pytestmark = pytest.mark.steepest_only

COMMAND = [sys.executable, "-m", "steepest"]
SMALL = ["--rows", "..600", "--val-split", "100", "--threads", "1"]


def run(*arguments, cwd=None):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, cwd=cwd)


def test_version():
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"steepest {steepest.__version__}\n", "")


def test_train_evaluate_predict(tmp_path):
    trained = run("train", *SMALL, "--epochs", "30", "--hidden", "32", "--out", "run", "--json", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["epochs"] == 30
    evaluated = run("evaluate", "run", "--data", "digits", "--rows", "..500", "--json", cwd=tmp_path)
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(evaluated.stdout)["accuracy"] > 0.3
    predicted = run("predict", "run", "digits/test", "--rows", "..3", "--csv", cwd=tmp_path)
    assert predicted.stdout.startswith("row,prediction,p_0,") and predicted.stdout.count("\n") == 4


@pytest.mark.parametrize("arguments, code, said", [
    (["train", "--no-such-flag"], 2, "--no-such-flag"),
    (["train", "no-such-recipe"], 2, 'no recipe named "no-such-recipe"'),
    (["evaluate", "missing", "--data", "digits"], 1, "missing"),
    ([], 2, "Usage"),
])
def test_errors(arguments, code, said, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == code and said in done.stderr and not done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_ends_a_run_well(tmp_path):
    """Exit code 130, and a run that goes on."""
    arguments = [*COMMAND, "train", "--epochs", "100000", "--out", "run", "--quiet", *SMALL]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    deadline = time.monotonic() + 60
    metrics = tmp_path / "run" / "metrics.csv"
    while not metrics.exists() or metrics.read_text().count("\n") < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130 and "steepest train --resume run" in said and "Traceback" not in said
    assert list((tmp_path / "run" / "checkpoints").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
def test_a_closed_pipe_is_quiet(tmp_path):
    assert run("train", *SMALL, "--epochs", "1", "--out", "run", "--quiet", cwd=tmp_path).returncode == 0
    process = subprocess.Popen([*COMMAND, "predict", "run", "digits/train", "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    assert (process.wait(timeout=60), said) == (0, "")
