"""Who takes part, seen from outside: each gets ready for a work, and then makes one run whenever it is asked to."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from peers import busy
from peers.works import Work, save_start
from steepest_cli import Steepest, call

BENCHMARKS = Path(__file__).parent.parent
OURS = "Steepest"
NOTEBOOKS, PREDICTIONS = {"W0", "W1", "W2", "W3", "W3nv"}, {"W6-row", "W6-all"}
TRAINED, NORMALISED = {"W4", "W4d", "W5", "W8"}, {"W9"}
EVERYTHING = NOTEBOOKS | TRAINED | PREDICTIONS


@dataclass(frozen=True)
class Peer:
    name: str
    module: str
    variant: str
    works: frozenset[str] | set[str]


PEERS = [
    Peer("NumPy as written", "numpy_peer", "written", NOTEBOOKS),
    Peer("NumPy f32", "numpy_peer", "f32", {"W0", "W1", "W2"} | PREDICTIONS),  # notebook 3 is f32 as written
    Peer("PyTorch", "torch_peer", "eager", EVERYTHING | NORMALISED),
    Peer("PyTorch compiled", "torch_peer", "compile", EVERYTHING | NORMALISED),
    Peer("PyTorch bf16", "torch_peer", "bf16", {"W5b"}),
    Peer("JAX", "jax_peer", "scan", EVERYTHING | NORMALISED),
    Peer("scikit-learn", "sklearn_peer", "", {"W0", "W1", "W2"} | TRAINED | PREDICTIONS),
    Peer("ONNX Runtime", "onnx_peer", "", PREDICTIONS),
    Peer("candle", "candle_peer", "", TRAINED | PREDICTIONS),
    Peer("burn", "burn_peer", "", TRAINED | PREDICTIONS),
]


class Missing(Exception):
    """A peer that cannot run here, and why."""


class PeerProcess:
    def __init__(self, peer: Peer, work: Work, folder: Path, threads: int, steps: int):
        self.errors = (folder / f"{peer.module}-{peer.variant}.err").open("w+")
        threads = work.peer_threads or threads
        job = {"work": asdict(work), "variant": peer.variant, "threads": threads, "steps": steps, "folder": str(folder)}
        self.process = subprocess.Popen(
            program(peer) + [json.dumps(job)], cwd=BENCHMARKS, text=True, bufsize=1, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors, env=environment(threads))
        ready = self.answer()
        self.version, self.ready = ready["version"], ready["ready"]

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            lines = self.errors.read().strip().splitlines() or [f"ended with {self.process.returncode}"]
            raise Missing(lines[-1])
        return json.loads(line)

    def run(self) -> dict[str, Any]:
        try:
            self.process.stdin.write("\n")
        except BrokenPipeError:
            pass  # `answer` says why
        return self.answer()

    def used(self) -> float:
        return busy.of_process(self.process.pid)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()


def program(peer: Peer) -> list[str]:
    if (BENCHMARKS / "peers" / f"{peer.module}.py").exists():
        return [sys.executable, "-m", f"peers.{peer.module}"]
    binary = Path(sys.prefix) / "bin" / peer.module
    if not binary.exists():
        raise Missing(f"No module named {peer.module}: {binary} is not there")
    return [str(binary)]


def environment(threads: int) -> dict[str, str]:
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"]
    # JAX has no setting of its own: it takes as many threads as the process may use processors (`keep_to`).
    return os.environ | {name: str(threads) for name in names} | {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}


def keep_to(threads: int) -> None:
    """Keeps this process and its children to as many processors as there are threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


class Ours:
    """The binary, started anew for each run; its example `predict_speed` for predictions."""

    def __init__(self, steepest: Steepest, predict_speed: Path, work: Work, folder: Path, steps: int):
        self.steepest, self.predict_speed, self.work, self.folder = steepest, predict_speed.resolve(), work, folder
        self.arguments = train_arguments(work, steps)
        self.version, self.ready = "", 0.0

    def run(self) -> dict[str, Any]:
        if not self.work.predicts:
            answer = call(self.steepest, self.folder, self.arguments)
            return {"seconds": answer["seconds"], "accuracy": answer["test_accuracy"]}
        command = [self.predict_speed, "model.safetensors", "rows.npz/test", str(self.steepest.threads)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        one = self.work.rows == 1
        return {"seconds": answer["row_nanoseconds"] / 1e9 if one else answer["rows"] / answer["rows_per_second"],
                "accuracy": None}

    def used(self) -> float:
        return busy.of_children()

    def stop(self) -> None:
        pass


def train_model(steepest: Steepest, work: Work, folder: Path) -> None:
    """A model for everybody to predict with: an epoch from the start weights that are there."""
    answer = call(steepest, folder, train_arguments(work, 468) + ["--out", "model"])
    path = folder / answer["model"]
    save_start(load_file(path), folder)
    path.rename(folder / "model.safetensors")


def train_arguments(work: Work, steps: int) -> list[str]:
    recipe = work.recipe
    if recipe.endswith(".toml"):
        recipe = str(BENCHMARKS / "peers" / "recipes" / recipe)
    arguments = ["train", recipe, "--data", "rows.npz/train", "--test-data", "rows.npz/test",
                 "--init-from", "start.safetensors", "--hidden", ",".join(map(str, work.sizes[1:-1])),
                 "--iterations", str(steps), "--set", "data.shuffle=false", "--json"]
    arguments += ["--set", f"training.products={work.products}"] if work.products else []
    arguments += ["--val-data", "val.npz"] if work.validated else ["--val-split", "0"]
    return arguments + (["--batches", "batches.npy"] if work.batch else [])
