"""How time grows with rows, width, depth, batch and threads: Steepest beside PyTorch, and beside the machine's roofline.

    python benchmarks/growth.py                writes docs/growth.svg and results/growth.json

It wants the virtual environment that `compare_peers.py --setup` makes (benchmarks/.venv), and finds it. Data are normal
numbers, so that no zero is left out. Each point is the median of runs in turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from compare_peers import HERE, PAUSE, built, enter, processor

PYTORCH = "PyTorch"
SECONDS = 0.4  # about how long a run should take on a fast machine


@dataclass(frozen=True)
class Point:
    axis: str
    value: int
    hidden: tuple[int, ...] = (128,)
    rows: int = 10_000
    batch: int = 128
    threads: int | None = None  # None: those of --threads
    n_in: int = 100
    n_out: int = 10

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.n_in, *self.hidden, self.n_out)

    @property
    def parameters(self) -> int:
        return sum(n_in * n_out + n_out for n_in, n_out in zip(self.sizes, self.sizes[1:]))

    @property
    def operations(self) -> int:
        """Of a step: forward, back to the weights, and back to the inputs of all layers but the first."""
        weights = [n_in * n_out for n_in, n_out in zip(self.sizes, self.sizes[1:])]
        return 2 * self.batch * (2 * sum(weights) + sum(weights[1:]))

    def bytes(self, cache: int) -> int:
        """That a step fetches from memory: its rows and, where they do not stay in the cache, Adam's three vectors."""
        all_vectors = 3 * 4 * self.parameters
        return 4 * self.batch * self.n_in + (2 * all_vectors if all_vectors > cache else 0)

    def steps(self) -> int:
        """How many to time: enough to take a while, no more than some epochs."""
        return max(3, min(3000, int(SECONDS * 100e9 / (self.operations + 2e6))))


def points(cores: int) -> list[Point]:
    wide = {"hidden": (2048, 2048), "batch": 512}
    return [
        *(Point("rows", n, rows=n) for n in (1_000, 10_000, 100_000, 1_000_000)),
        *(Point("width", n, hidden=(n,)) for n in (8, 32, 128, 512, 2048, 4096)),
        *(Point("depth", n, hidden=(128,) * n) for n in (1, 2, 4, 8)),
        *(Point("batch", n, batch=n, rows=60_000) for n in (1, 8, 64, 512, 4096, 60_000)),
        *(Point("threads", n, threads=n) for n in range(1, cores + 1)),
        *(Point("threads, 2048-2048", n, threads=n, **wide) for n in range(1, cores + 1)),
    ]


def measure(point: Point, args: argparse.Namespace, binaries: tuple[Path, Path]) -> dict[str, list[float]]:
    """Seconds of a step, of each contender's runs."""
    from peers.contenders import OURS, PEERS, Ours, PeerProcess
    from peers.works import ADAM, Work, prepare
    from steepest_cli import Steepest

    threads, steps = point.threads or args.threads, point.steps()
    work = Work("growth", "", sizes=point.sizes, steps=steps, timed=steps, batch=point.batch, data="normal",
                samples=point.rows, **ADAM)
    eager = next(peer for peer in PEERS if peer.name == PYTORCH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(work, (), args.seed, folder)
        contenders = {OURS: Ours(Steepest(binaries[0], threads), binaries[1], work, folder, steps),
                      PYTORCH: PeerProcess(eager, work, folder, threads, steps)}
        runs: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(args.repeats):
            for name, contender in contenders.items():
                time.sleep(PAUSE)
                runs[name].append(contender.run()["seconds"] / steps)
        contenders[PYTORCH].stop()
    return runs


def machine(threads: int) -> dict[str, float]:
    """The roofline: operations a second of one thread, bytes a second from memory, bytes of the last cache."""
    import numpy as np

    bench = ["cargo", "bench", "--quiet", "-p", "steepest-kernels", "--bench", "wide"]
    lines = subprocess.run(bench, cwd=HERE, check=True, capture_output=True, text=True).stdout.splitlines()[2:]
    peak = max(float(number) for line in lines for number in line.split()[3:]) * 1e9
    x = np.ones(64 << 20, np.float32)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        x.sum()
        seconds.append(time.perf_counter() - started)
    caches = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    cache = max((int(path.read_text().strip().rstrip("K")) << 10 for path in caches), default=32 << 20)
    return {"peak": peak, "bandwidth": x.nbytes / min(seconds) * min(threads, 2), "cache": cache}


def roof(point: Point, threads: int, limits: dict[str, float]) -> float:
    """The least time of a step: its arithmetic at full speed, or its traffic with memory, whichever is longer."""
    arithmetic = point.operations / (limits["peak"] * (point.threads or threads))
    return max(arithmetic, point.bytes(int(limits["cache"])) / limits["bandwidth"])


def draw(path: Path, measured: list[tuple[Point, dict[str, list[float]]]], limits: dict, args: argparse.Namespace) -> None:
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"  # the same bytes for the same numbers
    import matplotlib.pyplot as plt

    axes_names = list(dict.fromkeys(point.axis for point, _ in measured))
    figure, panels = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    labels = {"rows": "rows (an epoch)", "width": "units of the hidden layer (a step)", "depth": "hidden layers of 128 (a step)",
              "batch": "rows of a batch (an epoch of 60,000)", "threads": "threads (a step)",
              "threads, 2048-2048": "threads, 100-2048-2048-10, batch 512 (a step)"}
    for axis, panel in zip(axes_names, panels.flat):
        these = [(point, runs) for point, runs in measured if point.axis == axis]
        scale = [point.rows / point.batch if axis in ("rows", "batch") else 1 for point, _ in these]
        values = [point.value for point, _ in these]
        for name, style in (("Steepest", "o-"), (PYTORCH, "s-")):
            times = [statistics.median(runs[name]) * s for (_, runs), s in zip(these, scale)]
            panel.plot(values, times, style, label=name)
        roofs = [roof(point, args.threads, limits) * s for (point, _), s in zip(these, scale)]
        panel.plot(values, roofs, "k--", linewidth=1, label="roofline")
        panel.set_xscale("log", base=2 if axis.startswith(("depth", "threads")) else 10)
        panel.set_yscale("log")
        if axis.startswith(("depth", "threads")):
            panel.set_xticks(values, [str(value) for value in values])
            panel.minorticks_off()
        panel.set_xlabel(labels[axis])
        panel.set_ylabel("seconds")
        panel.grid(alpha=0.3)
    panels.flat[0].legend()
    figure.suptitle("100-128-10, ReLU, Adam, batch 128, 10,000 rows, two threads, unless an axis says otherwise"
                    if args.threads == 2 else "100-128-10, ReLU, Adam, batch 128, 10,000 rows, unless an axis says otherwise")
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=HERE / ".venv", help="where the peers are (benchmarks/.venv)")
    parser.add_argument("--threads", type=int, default=2, help="for both, where the axis is not threads (2)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (3)")
    parser.add_argument("--seed", type=int, default=1, help="of data, weights and batches (1)")
    parser.add_argument("--axes", nargs="+", help="only these, such as width batch; nothing is written")
    args = parser.parse_args()
    enter(args.venv, False)

    binaries = built()
    limits = machine(args.threads)
    measured = []
    for point in points(os.cpu_count() or 1):
        if args.axes and point.axis not in args.axes:
            continue
        runs = measure(point, args, binaries)
        measured.append((point, runs))
        ours, theirs = (statistics.median(runs[name]) for name in ("Steepest", PYTORCH))
        least = roof(point, args.threads, limits)
        print(f"{point.axis:>18} {point.value:>9,}  Steepest {ours * 1e6:>10,.1f} µs  PyTorch {theirs * 1e6:>10,.1f} µs"
              f"  {theirs / ours:>5.1f} x  {least / ours:>4.0%} of the roofline", flush=True)
    if not args.axes:
        draw(HERE.parent / "docs" / "growth.svg", measured, limits, args)
        document = {"date": str(date.today()), "processor": processor(), "threads": args.threads, "limits": limits,
                    "points": [{"axis": point.axis, "value": point.value, "sizes": point.sizes, "rows": point.rows,
                                "batch": point.batch, "seconds_per_step": runs} for point, runs in measured]}
        (HERE / "results" / "growth.json").write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
