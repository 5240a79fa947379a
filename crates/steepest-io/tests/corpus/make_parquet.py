"""Writes the folder `parquet`, as make_corpus.py writes the others; it needs pyarrow and polars (tried with 26.0 and 2.1).

    python make_parquet.py
"""

import json
import shutil
from pathlib import Path

import polars as pl

import parquet_files

FOLDER = Path(__file__).parent
shutil.rmtree(FOLDER / "parquet", ignore_errors=True)
(FOLDER / "parquet").mkdir()
files = parquet_files.files()
for name, (contents, _) in files.items():
    assert len(contents) < 20_000, f"{name}: {len(contents)} bytes are too many to be kept"
    (FOLDER / "parquet" / name).write_bytes(contents)

# The tables that scikit-learn's answers are of.
for name in "people", "complete":
    table = pl.read_csv(FOLDER.parents[3] / f"benchmarks/tables/{name}.csv")
    (FOLDER / f"parquet/{name}-polars.parquet").write_bytes(parquet_files.polars(table))
    (FOLDER / f"parquet/{name}-arrow.parquet").write_bytes(parquet_files.arrow(table.to_arrow(), row_group_size=30))
    if name == "people":
        shuffled = table.select(reversed(table.columns)).with_columns(list=pl.lit([1, 2]))
        (FOLDER / "parquet/people-shuffled.parquet").write_bytes(parquet_files.polars(shuffled))
        (FOLDER / "parquet/people-few.parquet").write_bytes(parquet_files.polars(table.select("city", "age")))

lines = ",\n".join(f"  {json.dumps(f'parquet/{name}')}: {json.dumps(outcome)}" for name, (_, outcome) in files.items())
(FOLDER / "expected_parquet.json").write_text(f"{{\n{lines}\n}}\n")
print(len(files), "files,", sum("refused" in outcome for _, outcome in files.values()), "of them to be refused")
