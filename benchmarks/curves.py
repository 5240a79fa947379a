"""MNIST's test error against training seconds and against parameters: Steepest beside PyTorch with the same network and time.

    python benchmarks/curves.py --data FOLDER            about 12 minutes
    python benchmarks/curves.py --data FOLDER --quick    the same in a minute, on next to no epochs, into a temporary folder
    python benchmarks/curves.py --draw                   draws results/curves.json again

It writes results/curves.json, docs/curves.svg, and its part of docs/recipes.md. FOLDER holds MNIST's four IDX files. It wants
the virtual environment that `compare_peers.py --setup` makes (benchmarks/.venv), and finds it. Recipes and networks are fixed
here and in recipes/, and were chosen on held-out rows: nothing is chosen by the test set, and no epoch picked.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from compare_peers import HERE, PAUSE, built, enter, processor
from peers.busy import Others, of_children

PYTORCH, OURS = "PyTorch", "Steepest"
MEASURED = HERE / "results" / "curves.json"
RECIPES = ["mnist-1s", "mnist-98", "mnist-99", "mnist-1min", "mnist-5min"]  # from the shortest on
BUSY = 0.05  # where others have more of the processors, PyTorch's threads wait for each other most of the time
MINUTES = 13  # for each seed; a run of PyTorch that would go beyond is left out, aloud
EPOCHS = 60  # of the networks, whatever their size

# How far images are deformed: shift, rotation, scale and shear, elastic. The last two are those of mnist-99 and mnist-1min. On
# 5,000 rows held out of the training part 10 units gained nothing from it, 20 units 1.3 points.
NONE, MILD, SOME, FULL = (0.0, 0.0, 0.0, 0.0), (0.6, 5.0, 0.06, 0.5), (1.2, 10.0, 0.12, 1.0), (1.5, 15.0, 0.15, 1.2)
# Hidden layers, how far images are deformed, peak of the learning rate: the smaller the network, the larger, by the same rows
# (10 units lost 0.7 points with 0.002 in place of 0.01). All else is mnist-1min's.
NETWORKS = [((10,), NONE, 0.01), ((20,), MILD, 0.01), ((36, 32), MILD, 0.01), ((72, 36), MILD, 0.005),
            ((140, 64), SOME, 0.003), ((324, 128), FULL, 0.002), ((570, 256), FULL, 0.002)]
DEFORMED = {NONE: "not", MILD: "a little", SOME: "as `mnist-99`", FULL: "as `mnist-1min`"}


@dataclass(frozen=True)
class Point:
    curve: str  # seconds or parameters: what error is drawn against
    name: str
    recipe: Path
    deformed: str = ""
    changes: tuple[str, ...] = ()  # of the recipe


def recipe_file(name: str) -> Path:
    return HERE.parent / "recipes" / f"{name}.toml"


def points(quick: bool) -> list[Point]:
    """From short runs to long ones, networks first."""
    networks = [network_point(*network) for network in (NETWORKS[::3] if quick else NETWORKS)]
    recipes = []
    for name in RECIPES:
        if recipe_file(name).exists():
            recipes.append(Point("seconds", name, recipe_file(name)))
        else:
            print(f"{name} is left out: {recipe_file(name)} is not there", file=sys.stderr)
    return [quick_point(point) if quick else point for point in [*networks, *recipes]]


def network_point(hidden: tuple[int, ...], deformed: tuple[float, ...], lr: float) -> Point:
    shift, rotation, scale, elastic = deformed
    augment = {"shift": shift, "rotation": rotation, "scale": scale, "shear": scale, "elastic": elastic}
    changes = [f"network.hidden={list(hidden)}", f"training.lr={lr}", f"training.epochs={EPOCHS}"]
    changes += [f"augment.{key}={value}" for key, value in augment.items()]
    name = "-".join(map(str, (784, *hidden, 10)))
    return Point("parameters", name, recipe_file("mnist-1min"), DEFORMED[deformed], tuple(changes))


def quick_point(point: Point) -> Point:
    return Point(point.curve, point.name, point.recipe, point.deformed, (*point.changes, "training.epochs=1"))


def weights(model: Path) -> int:
    """Of a saved model, its batch normalisation folded in: weights and biases."""
    from safetensors.numpy import load_file

    return sum(value.size for value in load_file(model).values())


def ours(point: Point, seed: int, args: argparse.Namespace, binary: Path, folder: Path) -> tuple[dict, Path, int]:
    """The run, its plan, and how many weights it saved."""
    from steepest_cli import Steepest, call

    changes = [argument for change in (*point.changes, f"seed={seed}") for argument in ("--set", change)]
    others = Others(of_children())
    answer = call(Steepest(binary, args.threads), folder,
                  ["train", str(point.recipe), "--data", str(args.data.resolve()), "--offline", "--json", *changes])
    share = others.share(of_children())
    run = {"seed": seed, "seconds": answer["seconds"], "accuracy": answer["test_accuracy"], "epochs": answer["epochs"],
           "others": share}
    return run, folder / answer["run"] / "plan.toml", weights(folder / answer["model"])


def theirs(plan: Path, seconds: float, seed: int, args: argparse.Namespace) -> dict:
    from peers.contenders import environment

    job = {"plan": str(plan), "data": str(args.data.resolve()), "seconds": seconds, "threads": args.threads, "seed": seed}
    others = Others(of_children())
    done = subprocess.run([sys.executable, "-m", "peers.curve_peer", json.dumps(job)], cwd=HERE, text=True,
                          env=environment(args.threads), stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"PyTorch's run ended with {done.returncode}")
    return {"seed": seed, **json.loads(done.stdout), "others": others.share(of_children())}


def measure(point: Point, args: argparse.Namespace, binary: Path, until: float) -> dict:
    """All runs of a point: each seed by Steepest, then by PyTorch in the seconds that Steepest took."""
    result: dict = {"curve": point.curve, "name": point.name, "recipe": point.recipe.stem, "deformed": point.deformed,
                    "changes": point.changes, OURS: [], PYTORCH: []}
    for seed in range(1, args.seeds + 1):
        with tempfile.TemporaryDirectory() as name:
            time.sleep(PAUSE)
            run, plan, result["parameters"] = ours(point, seed, args, binary, Path(name))
            result[OURS].append(run)
            say(point, OURS, run)
            if time.monotonic() + 1.1 * run["seconds"] > until:
                print(f"{point.name}: {PYTORCH} is left out, as {args.minutes:g} minutes would be over (--minutes)",
                      file=sys.stderr)
                continue
            time.sleep(PAUSE)
            result[PYTORCH].append(theirs(plan, run["seconds"], seed, args))
            say(point, PYTORCH, result[PYTORCH][-1])
    return result


def say(point: Point, who: str, run: dict) -> None:
    print(f"{point.name:>15}  {who:<8}  seed {run['seed']}  error {1 - run['accuracy']:>6.2%}  after {run['seconds']:>7.2f} s"
          f"  {run['epochs']:>6.1f} epochs", flush=True)


def measured(args: argparse.Namespace, binary: Path) -> dict:
    until = time.monotonic() + 60 * args.minutes
    all_points = [measure(point, args, binary, until) for point in points(args.quick)]
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    versions = {version} | {run.pop("version") for point in all_points for run in point[PYTORCH]}
    return {"date": str(date.today()), "processor": processor(), "threads": args.threads, "seeds": args.seeds,
            "quick": args.quick, "versions": sorted(versions), "python": platform.python_version(), "points": all_points}


def busy(document: dict) -> float:
    """The part of the processors that other programs had, over the time of all runs; 0 where that is not known."""
    runs = [run for point in document["points"] for run in point[OURS] + point[PYTORCH]]
    return sum(run["seconds"] * (run["others"] or 0.0) for run in runs) / sum(run["seconds"] for run in runs)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with MNIST's four IDX files, gzipped or not")
    parser.add_argument("--venv", type=Path, default=HERE / ".venv", help="where PyTorch is (benchmarks/.venv)")
    parser.add_argument("--binary", type=Path, help="else it is built")
    parser.add_argument("--threads", type=int, default=2, help="for both (2)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each point, with seeds from 1 on (1)")
    parser.add_argument("--minutes", type=float, help=f"after which PyTorch's long runs are left out ({MINUTES} a seed)")
    parser.add_argument("--quick", action="store_true", help="one epoch, fewer networks, to try it out")
    parser.add_argument("--out", type=Path, help="write there, and nothing in the project")
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw what was measured")
    args = parser.parse_args()
    if args.draw and not MEASURED.exists():
        parser.error(f"--draw wants {MEASURED}, which a run without --quick and --out writes")
    if not args.draw and not (args.data and args.data.is_dir()):
        parser.error(f"--data wants a folder with MNIST's four IDX files, not {args.data}")
    if args.seeds < 1:
        parser.error(f"--seeds wants 1 or more, not {args.seeds}")
    args.minutes = args.minutes or MINUTES * args.seeds
    return args


def main() -> int:
    args = options()
    enter(args.venv, False)
    missing = [module for module in ("matplotlib", "torch", "safetensors", "tomllib") if find_spec(module) is None]
    if missing:
        sys.exit(f"{', '.join(missing)} cannot be imported: run `compare_peers.py --setup` first, by Python 3.11 or newer")

    # Only now: what these need may be in the virtual environment alone.
    from curves_figure import draw, write_section
    from peers.contenders import keep_to

    if args.draw:
        document = json.loads(MEASURED.read_text())
    else:
        binary = args.binary or built()[0]
        keep_to(args.threads)
        document = measured(args, binary)
    out = args.out or (Path(tempfile.mkdtemp(prefix="curves-")) if args.quick else None)
    if out:
        out.mkdir(parents=True, exist_ok=True)
    docs, raw = out or HERE.parent / "docs", out / MEASURED.name if out else MEASURED
    raw.write_text(json.dumps(document, indent=1) + "\n")
    draw(docs / "curves.svg", document)
    write_section(HERE.parent / "docs" / "recipes.md", docs / "recipes.md", document)
    if busy(document) > BUSY:
        print(f"Other programs had {busy(document):.0%} of the processors, which slows PyTorch down most: these curves are not "
              "fair to it. Measure again on a quiet machine.", file=sys.stderr)
    print(f"{docs / 'curves.svg'}, {docs / 'recipes.md'}, {raw}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
