"""Steepest beside the libraries that train the same networks, on the same rows, batches and start weights.

    python benchmarks/compare_peers.py --setup --data FOLDER --save    everybody
    python benchmarks/compare_peers.py --ours --data FOLDER            Steepest alone

FOLDER holds MNIST's four IDX files. --setup installs peers/requirements.txt and peers/rust into a virtual environment
(benchmarks/.venv), which later runs find. A peer that is not there is left out, aloud. peers/works.py has the rows of the
table.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAUSE = 0.3  # seconds between two programs, in which threads that still spin go to sleep


def enter(folder: Path, install: bool) -> None:
    """Goes on in the virtual environment, if there is one."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if install:
        if not python.exists():
            venv.create(folder, with_pip=True)
        # One by one: a package that is not to be had leaves the others be.
        for package in (HERE / "peers" / "requirements.txt").read_text().split():
            print(f"installing {package}", file=sys.stderr)
            if subprocess.run([python, "-m", "pip", "install", "--quiet", package]).returncode != 0:
                print(f"{package} could not be installed", file=sys.stderr)
        install_rust_peers(folder)
    if python.exists() and Path(sys.prefix).resolve() != folder.resolve():
        again = [argument for argument in sys.argv if argument != "--setup"]
        sys.exit(subprocess.run([python, *again]).returncode)


def install_rust_peers(folder: Path) -> None:
    print("building candle and burn", file=sys.stderr)
    cargo = ["cargo", "install", "--quiet", "--path", HERE / "peers" / "rust", "--root", folder]
    if subprocess.run(cargo, env=os.environ | {"RUSTFLAGS": "-C target-cpu=native"}).returncode != 0:
        print("candle and burn could not be built", file=sys.stderr)


def built() -> tuple[Path, Path]:
    """The binary and the example that measures predictions, built if need be."""
    cargo = ["cargo", "build", "--release", "-p", "steepest-cli", "-p", "steepest-io", "--bin", "steepest",
             "--example", "predict_speed"]
    subprocess.run(cargo, cwd=HERE, check=True)
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    target = json.loads(subprocess.run(metadata, cwd=HERE, check=True, capture_output=True).stdout)["target_directory"]
    release, suffix = Path(target) / "release", ".exe" if os.name == "nt" else ""
    return release / f"steepest{suffix}", release / "examples" / f"predict_speed{suffix}"


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] \
        if cpuinfo.exists() else []
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def measure(args: argparse.Namespace, binaries: tuple[Path, Path], work, mnist: tuple, missing: set[str],
            versions: dict[str, None]) -> dict[str, dict]:
    from peers.busy import Others
    from peers.contenders import OURS, PEERS, Missing, Ours, PeerProcess, train_model
    from peers.works import VALIDATE_EVERY, prepare
    from steepest_cli import Steepest

    steepest = Steepest(binaries[0], args.threads)
    steps = work.steps if args.full else work.timed
    if args.shorten and steps:
        steps = max(VALIDATE_EVERY, round(steps * args.shorten) // VALIDATE_EVERY * VALIDATE_EVERY)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(work, mnist, args.seed, folder)
        if work.predicts:
            train_model(steepest, work, folder)
        contenders: dict[str, Ours | PeerProcess] = {OURS: Ours(steepest, binaries[1], work, folder, steps)}
        for peer in [] if args.ours else PEERS:
            if work.name not in peer.works or peer.module in missing or args.peers and peer.module not in args.peers:
                continue
            try:
                contenders[peer.name] = PeerProcess(peer, work, folder, args.threads, steps)
                versions[contenders[peer.name].version] = None
            except Missing as why:
                print(f"{work.name}: {peer.name} is left out: {why}", file=sys.stderr)
                missing |= {peer.module} if "No module named" in str(why) else set()
        runs = {name: {"seconds": [], "accuracy": [], "others": [], "steps": steps, "ready": contender.ready}
                for name, contender in contenders.items()}
        for _ in range(args.repeats):  # in turns, so that a slow minute falls on everybody
            for name, contender in list(contenders.items()):
                time.sleep(PAUSE)
                others = Others(contender.used())
                try:
                    result = contender.run()
                except Missing as why:
                    print(f"{work.name}: {name} gave up: {why}", file=sys.stderr)
                    del contenders[name], runs[name]
                    continue
                runs[name]["others"].append(others.share(contender.used()))
                runs[name]["seconds"].append(result["seconds"] * (work.steps / steps if steps else 1))
                runs[name]["accuracy"].append(result["accuracy"])
        for contender in contenders.values():
            contender.stop()
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the four IDX files, gzipped or not")
    parser.add_argument("--setup", action="store_true", help="install the peers first")
    parser.add_argument("--venv", type=Path, default=HERE / ".venv", help="where the peers are (benchmarks/.venv)")
    parser.add_argument("--ours", action="store_true", help="Steepest alone")
    parser.add_argument("--works", nargs="+", help="only these rows, such as W0 W4")
    parser.add_argument("--peers", nargs="+", help="only these files of peers/, such as torch_peer jax_peer")
    parser.add_argument("--binary", type=Path, help="with examples/predict_speed beside it; else both are built")
    parser.add_argument("--threads", type=int, default=2, help="for everybody (2)")
    parser.add_argument("--repeats", type=int, help="turns (5; with --ours 3)")
    parser.add_argument("--seed", type=int, default=1, help="of weights, splits and batches (1)")
    parser.add_argument("--full", action="store_true", help="all steps, where else a part is run and scaled up")
    parser.add_argument("--shorten", type=float, help="run this part of the usual steps, to try things out")
    parser.add_argument("--save", action="store_true", help="write Markdown and raw JSON to results/")
    args = parser.parse_args()
    args.repeats = args.repeats or (3 if args.ours else 5)
    enter(args.venv, args.setup)

    # Only now: what these need may have just been installed.
    from mnist_rows import read_mnist
    from peers.contenders import keep_to
    from peers.table import document
    from peers.works import WORKS

    unknown = set(args.works or []) - {work.name for work in WORKS}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    binaries = (args.binary, args.binary.parent / "examples" / "predict_speed") if args.binary else built()
    keep_to(args.threads)
    mnist = read_mnist(args.data)
    version = subprocess.run([binaries[0], "--version"], capture_output=True, text=True, check=True).stdout.strip()
    runs, missing, versions, load = {}, set(), {version: None}, os.getloadavg() if hasattr(os, "getloadavg") else None
    for work in WORKS:
        if args.works and work.name not in args.works:
            continue
        print(f"{work.name}: {work.what}", file=sys.stderr)
        runs[work.name] = measure(args, binaries, work, mnist, missing, versions)
    setup = {"date": str(date.today()), "processor": processor(), "threads": args.threads, "seed": args.seed,
             "versions": list(versions), "python": platform.python_version(), "system": platform.platform(),
             "load_before": load}
    text = document(runs, setup)
    print(text)
    if args.save:
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        name = "ours" if args.ours else "peers"
        (results / f"{name}.md").write_text(text)
        (results / f"{name}.json").write_text(json.dumps({"setup": setup, "runs": runs}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
