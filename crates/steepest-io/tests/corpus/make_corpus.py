"""Writes this folder's files: unusual ones that are read, and malformed ones that are refused.

    python make_corpus.py

`expected.json` says of each what must come of it: the inputs and targets of those that are read, a part of the message of
those that are refused. Python's standard library is enough.
"""

import json
import shutil
from pathlib import Path

import csv_files
import idx_files
import model_files
import npy_files
import npz_files
import png_files
import table_files

FOLDER = Path(__file__).parent
READERS = {"idx": idx_files, "npy": npy_files, "npz": npz_files, "csv": csv_files, "png": png_files,
           "model": model_files, "table": table_files}

expected = {}
for reader, module in READERS.items():
    shutil.rmtree(FOLDER / reader, ignore_errors=True)
    (FOLDER / reader).mkdir()
    for name, (contents, outcome) in module.files().items():
        assert len(contents) < 40_000, f"{name}: too large to be kept"
        (FOLDER / reader / name).write_bytes(contents)
        expected[f"{reader}/{name}"] = outcome

lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(outcome)}" for name, outcome in expected.items())
(FOLDER / "expected.json").write_text(f"{{\n{lines}\n}}\n")
print(len(expected), "files,", sum("refused" in outcome for outcome in expected.values()), "of them to be refused")
