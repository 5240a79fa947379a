"""Compares two folders of golden files: `compare_golden.py COMMITTED FRESH`. Ends with 1 where they differ.

Whole numbers and accuracies must be equal. Other numbers may differ by rounding, since another NumPy or
another processor sums in another order.
"""

import sys
from pathlib import Path

import numpy as np


def allowed(name: str, dtype: np.dtype) -> float:
    if "accuracy" in name or not np.issubdtype(dtype, np.floating):
        return 0.0
    return 1e-5 if name.endswith("_f32") or dtype == np.float32 else 1e-9


def differences(committed: Path, fresh: Path) -> list[str]:
    with np.load(committed) as old, np.load(fresh) as new:
        if set(old) != set(new):
            return [f"{committed.name}: other arrays: {sorted(set(old) ^ set(new))}"]
        found = []
        for name in old:
            a, b = old[name], new[name]
            if (a.shape, a.dtype) != (b.shape, b.dtype):
                found.append(f"{committed.name}, {name}: {a.dtype} {a.shape} is now {b.dtype} {b.shape}")
            elif not np.allclose(b, a, rtol=(tol := allowed(name, a.dtype)), atol=tol):
                most = np.abs(b.astype(float) - a.astype(float)).max()
                found.append(f"{committed.name}, {name}: differs by up to {most:.2g}")
        return found


def main() -> None:
    committed, fresh = Path(sys.argv[1]), Path(sys.argv[2])
    names = sorted(path.name for path in committed.glob("*.npz"))
    missing = [f"{name}: not written" for name in names if not (fresh / name).exists()]
    found = missing or [line for name in names for line in differences(committed / name, fresh / name)]
    print("\n".join(found) or f"{len(names)} golden files reproduced")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
