"""Parquet files: those of pyarrow and polars, each read by the other to say what is in it, and malformed ones."""

import datetime
import gzip
import io
import random
import struct
import uuid
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import parquet_bytes as raw
from outcome import read, refused

RECIPE = 'scale = "none"\nmissing = "mean"'


def arrow(table: pa.Table | dict, **how) -> bytes:
    """As pyarrow writes it."""
    out = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), out, **how)
    return out.getvalue()


def polars(table: dict | pl.DataFrame, **how) -> bytes:
    """As polars writes it."""
    out = io.BytesIO()
    pl.DataFrame(table).write_parquet(out, **how)
    return out.getvalue()


def encoded(columns: dict[str, list], recipe: str) -> dict:
    """What the encoding of these columns gives, of which `y` is the target: numbers as they are, a text as an input for each
    that there is, what is missing as the mean or the most frequent text."""
    inputs = []
    for name, values in columns.items():
        present = [value for value in values if value is not None]
        if name == "y":
            continue
        if isinstance(present[0], bool):
            most = present.count(True) > present.count(False)
            inputs.append([[float(most if v is None else v)] for v in values])
        elif isinstance(present[0], str):
            texts = sorted(set(present))
            most = max(texts, key=present.count)
            inputs.append([[float(text == (most if v is None else v)) for text in texts] for v in values])
        else:
            total = 0.0
            for value in present:  # newer Pythons' sum rounds otherwise
                total += float(value)
            mean = total / len(present)
            inputs.append([[mean if v is None else float(v)] for v in values])
    # Rust's JSON reader may miss the last bit of a decimal; as a text it is exact.
    inputs = [[[int(x) if x == int(x) else repr(x) for x in cell] for cell in column] for column in inputs]
    target = [str(y).lower() if isinstance(y, bool) else y for y in columns["y"]]
    return read([sum(row, []) for row in zip(*inputs)], target) | {"recipe": recipe}


def good(contents: bytes, by: str = "polars", recipe: str = RECIPE) -> tuple:
    """What another reader finds is what is expected."""
    if by == "polars":
        columns = pl.read_parquet(io.BytesIO(contents)).to_dict(as_series=False)
    else:
        columns = pq.read_table(io.BytesIO(contents)).to_pydict()
    columns = {name: [v.decode() if isinstance(v, bytes) else v for v in values] for name, values in columns.items()}
    return contents, encoded(columns, recipe)


def bad(contents: bytes, message: str, recipe: str = RECIPE) -> tuple:
    return contents, refused(message) | {"recipe": recipe}


Y = ["p", "q", "q", "p", "q", "q"]


def types() -> dict:
    """Every type that is read."""
    ints = [3, None, 0, 1, 100, 7]
    widths = {f"i{bits}": pa.array(ints, getattr(pa, f"int{bits}")()) for bits in (8, 16, 32, 64)}
    largest = {bits: [2**bits - 1, None, 0, 2 ** (bits - 1), 1, 7] for bits in (8, 16, 32)}
    unsigned = {f"u{bits}": pa.array(values, getattr(pa, f"uint{bits}")()) for bits, values in largest.items()}
    wide = {"a": pa.array([2**64 - 1, 2**63, 5, 2**53 + 1, 0, 1], pa.uint64()), "b": pa.array([-(2**63), 2**63 - 1, 0, -1, 2**53 + 1, 1], pa.int64()), "y": Y}
    floats = [1.5, None, -0.0, 3.0e-5, 1e30, 0.1]
    numbers = {"f": pa.array(floats, pa.float32()), "d": pa.array(floats, pa.float64()), "n": pa.array([1.0, float("nan"), 2.0, 3.0, 3.0, 1.0]), "y": Y}
    halves = {"h": pa.array([1.5, None, -2.0, 2.0**-24, 65504.0, 0.333251953125], pa.float16()), "y": Y}
    money = [Decimal("12.34"), None, Decimal("-0.01"), Decimal("99999.99"), Decimal("0.10"), Decimal("5.00")]
    exact = {f"d{digits}": pa.array(money, pa.decimal128(digits, 2)) for digits in (7, 18, 38)}
    exact |= {"w": pa.array(money, pa.decimal256(70, 2)), "z": pa.array([v and v * 10**20 // 1 for v in money], pa.decimal128(38, 0)), "y": Y}
    texts = ["Oslo", None, "Århus", "東京", "Oslo", "zero"]
    text = {"s": texts, "l": pa.array(texts, pa.large_string()), "c": pa.array(texts).dictionary_encode(), "b": pa.array([t and t.encode() for t in texts]), "x": pa.array([b"ab", None, b"cd", b"ab", b"ab", b"ef"], pa.binary(2)), "y": Y}
    flags = {"f": [True, None, False, True, False, True], "y": [True, False, False, True, True, False]}
    ids = [uuid.UUID(int=7 * i % 3) for i in range(6)]
    ids = pa.table({"u": pa.array([i.bytes for i in ids], pa.uuid()), "y": Y})
    fixed = pq.read_table(io.BytesIO(arrow(exact)))
    nan_is_missing = arrow(numbers)
    columns = pl.read_parquet(io.BytesIO(nan_is_missing)).to_dict(as_series=False)
    columns["n"] = [None if v != v else v for v in columns["n"]]
    return {
        "ints.parquet": good(arrow(widths | unsigned | {"y": Y})),
        "ints-polars.parquet": good(polars({name: pl.from_arrow(column) for name, column in (widths | unsigned).items()} | {"y": Y}), "arrow"),
        "ints-64.parquet": good(arrow(wide)),
        "ints-without-types.parquet": good(raw.file(raw.columns(("a", 1, 0, {}), ("b", 1, 0, {6: 13}), ("y", 6, 0, {})), [raw.page(struct.pack("<3i", 1, -2, 3), 3), raw.page(struct.pack("<3I", 1, 2**32 - 2, 3), 3), raw.page(b"\1\0\0\0p\1\0\0\0q\1\0\0\0q", 3)], 3)),
        "floats.parquet": (nan_is_missing, encoded(columns, RECIPE)),
        "halves.parquet": good(arrow(halves), "arrow"),
        "decimals.parquet": (arrow(exact), encoded(fixed.to_pydict(), RECIPE)),
        "decimals-as-integers.parquet": (arrow(exact, store_decimal_as_integer=True), encoded(fixed.to_pydict(), RECIPE)),
        "decimals-polars.parquet": good(polars({"d": pl.Series(money, dtype=pl.Decimal(20, 2)), "y": Y}), "arrow"),
        "texts.parquet": good(arrow(text)),
        "texts-plain.parquet": good(arrow(text, use_dictionary=False)),
        "texts-polars.parquet": good(polars({"s": texts, "c": pl.Series(texts, dtype=pl.Categorical), "e": pl.Series(texts, dtype=pl.Enum(["zero", "Oslo", "Århus", "東京"])), "y": Y}), "arrow"),
        "flags.parquet": good(arrow(flags)),
        "uuids.parquet": (arrow(ids), encoded({"u": [str(uuid.UUID(int=7 * i % 3)) for i in range(6)], "y": Y}, RECIPE)),
        "numbers-as-text.parquet": good(arrow({"zip": ["0150", "10", "0150", "10", "7", "7"], "y": Y})),
        "text-as-numbers.parquet": (arrow({"zip": ["0150", "10", " 7 ", "10", "7", "NA"], "y": Y}), encoded({"zip": [150, 10, 7, 10, 7, None], "y": Y}, RECIPE + '\n[data.columns]\nzip = "number"')),
        "numbers-said-to-be-text.parquet": (arrow({"a": [3, 20, 3, 3, 20, 20], "f": pa.array([0.1, 2, 2, 2, 0.1, 2], pa.float32()), "d": pa.array(money[:1] * 5 + money[-1:]), "y": Y}), encoded({"a": ["3", "20", "3", "3", "20", "20"], "f": ["0.1", "2", "2", "2", "0.1", "2"], "d": ["12.34"] * 5 + ["5.00"], "y": Y}, RECIPE + '\n[data.columns]\na = "text"\nf = "text"\nd = "text"')),
        "words-for-missing.parquet": (arrow({"c": ["a", "NA", "a", "b", "", "None"], "y": Y}), encoded({"c": ["a", None, "a", "b", None, None], "y": Y}, RECIPE)),
        "classes-of-numbers.parquet": (arrow({"a": [1.5, 2, 3, 4], "y": [2, 1, 2, 1]}), encoded({"a": [1.5, 2, 3, 4], "y": list("2121")}, RECIPE)),
        "regression.parquet": good(arrow({"a": [1, 2, 3], "y": [10.5, 20.25, -1000.0]})),
        "dropped.parquet": (arrow({"a": [1, 2], "l": [[1], [2, 3]], "d": [datetime.date(2020, 1, 1)] * 2, "y": ["p", "q"]}), encoded({"a": [1, 2], "y": ["p", "q"]}, RECIPE + '\ndrop = ["l", "d"]')),
        "named-like.csv": good(arrow({"a": [1, 2, 3], "y": ["p", "q", "p"]})),
    }


def rows(n: int = 24) -> pa.Table:
    """Rows of all kinds, some values missing."""
    dice = random.Random(1)
    some = lambda draw: [None if dice.random() < 0.1 else draw() for _ in range(n)]
    return pa.table({
        "a": some(lambda: dice.randrange(1000)),
        "f": some(lambda: round(dice.gauss(0, 1), 3)),
        "c": some(lambda: dice.choice(["red", "green", "blue"])),
        "b": some(lambda: dice.random() < 0.5),
        "all": [float(i) for i in range(n)],
        "y": [dice.choice("pq") for _ in range(n)],
    })


def writers() -> dict:
    """Every way of writing that is read."""
    table, frame = rows(), pl.from_arrow(rows())
    files = {f"{codec}.parquet": good(arrow(table, compression=codec)) for codec in ("none", "snappy", "gzip", "zstd", "lz4")}
    for codec in ("uncompressed", "snappy", "gzip", "zstd", "lz4"):
        files[f"{codec}-polars.parquet"] = good(polars(frame, compression=codec), "arrow")
    required = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("c", pa.string(), nullable=False), pa.field("b", pa.bool_(), nullable=False), pa.field("y", pa.string(), nullable=False)])
    complete = pa.table({"a": list(range(40)), "c": list("rgbr" * 10), "b": [i % 3 == 0 for i in range(40)], "y": list("pq" * 20)}, required)
    delta = {"a": "DELTA_BINARY_PACKED", "f": "BYTE_STREAM_SPLIT", "c": "DELTA_BYTE_ARRAY", "b": "RLE", "all": "PLAIN", "y": "DELTA_LENGTH_BYTE_ARRAY"}
    shared = pa.table({"a": pa.array([10**9 + i * i for i in range(70)], pa.int32()), "s": pa.array([-(i**2) for i in range(70)], pa.int16()), "f": pa.array([i / 7 for i in range(70)], pa.float32()), "c": [f"category {i % 5}" for i in range(70)], "x": pa.array([b"%04d" % (i % 7) for i in range(70)], pa.binary(4)), "y": list("pq" * 35)})
    others = {"a": "DELTA_BINARY_PACKED", "s": "BYTE_STREAM_SPLIT", "f": "BYTE_STREAM_SPLIT", "c": "DELTA_BYTE_ARRAY", "x": "BYTE_STREAM_SPLIT", "y": "DELTA_LENGTH_BYTE_ARRAY"}
    fixed = others | {"x": "DELTA_BYTE_ARRAY"}
    runs = pa.table({"a": [1.5] * 150, "c": ["u"] * 70 + ["v"] * 80, "y": ["p"] * 100 + ["q"] * 50})
    pandas = table.append_column("__index_level_0__", pa.array(range(24)))
    return files | {
        "required.parquet": good(arrow(complete)),
        "required-v2.parquet": good(arrow(complete, data_page_version="2.0", compression="zstd")),
        "pages-v2.parquet": good(arrow(table, data_page_version="2.0")),
        "pages-v2-uncompressed.parquet": good(arrow(table, data_page_version="2.0", compression="none")),
        "many-pages.parquet": good(arrow(rows(50), data_page_size=64, write_batch_size=16)),
        "many-pages-v2.parquet": good(arrow(rows(50), data_page_size=64, write_batch_size=16, data_page_version="2.0")),
        "dictionary-too-large.parquet": good(arrow(shared.select(["c", "a", "y"]), dictionary_pagesize_limit=40, data_page_size=64, write_batch_size=8)),
        "row-groups.parquet": good(arrow(table, row_group_size=7)),
        "row-groups-polars.parquet": good(polars(frame, row_group_size=7, statistics="full"), "arrow"),
        "without-dictionary.parquet": good(arrow(table, use_dictionary=False)),
        "delta.parquet": good(arrow(table, use_dictionary=False, column_encoding=delta, compression="none")),
        "delta-v2.parquet": good(arrow(table, use_dictionary=False, column_encoding=delta, data_page_version="2.0")),
        "other-encodings.parquet": good(arrow(shared, use_dictionary=False, column_encoding=others), "arrow"),
        "other-encodings-fixed.parquet": good(arrow(shared, use_dictionary=False, column_encoding=fixed), "arrow"),
        "format-1.parquet": good(arrow(table, version="1.0")),
        "page-index.parquet": good(arrow(table, write_page_index=True, write_page_checksum=True, store_schema=False)),
        "long-runs.parquet": good(arrow(runs)),
        "index-of-pandas.parquet": bad(arrow(pandas), "to_parquet(..., index=False)"),
        "index-of-pandas-dropped.parquet": (arrow(pandas), encoded(table.to_pydict(), RECIPE + '\ndrop = ["__index_level_0__"]')),
    }


def of_days() -> dict:
    """Dates and times, refused as those of CSV files are."""
    at = datetime.datetime(2024, 2, 29, 12, 30, 5, 123456)
    stamps = {f"timestamps-{unit}.parquet": arrow({"a": [1, 2], "when": pa.array([at, None], pa.timestamp(unit)).cast(pa.timestamp(unit), safe=False), "y": ["p", "q"]}) for unit in ("ms", "us", "ns")}
    zoned = arrow({"a": [1, 2], "when": pa.array([at, at], pa.timestamp("us", "Europe/Oslo")), "y": ["p", "q"]})
    old = arrow({"a": [1, 2], "when": pa.array([at, at], pa.timestamp("ns")), "y": ["p", "q"]}, use_deprecated_int96_timestamps=True)
    times = arrow({"a": [1, 2], "when": pa.array([at.time(), at.time()]), "y": ["p", "q"]})
    dates = {"a": [1, 2], "d 1": [at.date()] * 2, "when": [at] * 2, "y": ["p", "q"]}
    files = {name: bad(contents, "such as `2024-02-29 12:30:05.123") for name, contents in stamps.items()}
    return files | {
        "timestamps-zone.parquet": bad(zoned, "--drop when"),
        "timestamps-int96.parquet": bad(old, "such as `2024-02-29 12:30:05.123456000`"),
        "times.parquet": bad(times, "such as `12:30:05.123456`"),
        "dates.parquet": bad(arrow(dates), "--drop 'd 1' --drop when"),
        "dates-polars.parquet": bad(polars(dates), "such as `2024-02-29`"),
        "dates-as-categories.parquet": (arrow({"d": [at.date(), datetime.date(1969, 12, 31)] * 3, "y": Y}), encoded({"d": ["2024-02-29", "1969-12-31"] * 3, "y": Y}, RECIPE + '\n[data.columns]\nd = "text"')),
        "far-dates.parquet": bad(arrow({"a": [1, 2], "d": pa.array([10**7, 0], pa.int32()).cast(pa.date32()), "y": ["p", "q"]}), "row 0, column `d`"),
    }


def of_no_table() -> dict:
    """Whole files that hold what no column can."""
    y = {"y": ["p", "q"]}
    nested = {"list": [[1], [2, 3]], "struct": [{"u": 1}, {"u": 2}], "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64()))}
    files = {f"nested-{name}.parquet": bad(arrow({"a": [1, 2], name: values} | y), f"column `{name}` holds {name if name != 'struct' else 'structure'}") for name, values in nested.items()}
    return files | {
        "nested-polars.parquet": bad(polars({"a": [1, 2], "l": [[1], [2, 3]]} | y), "column `l` holds lists"),
        "nested-deep.parquet": bad(arrow({"a": [1, 2], "s": [{"t": [{"u": [[1]]}]}, None]} | y), "column `s` holds structures"),
        "only-missing.parquet": bad(arrow({"a": [1, 2], "n": pa.nulls(2)} | y), "column `n` has no values"),
        "infinity.parquet": bad(arrow({"a": [1, float("-inf")]} | y), "row 1, column `a`: `-inf`"),
        "not-utf8.parquet": bad(arrow({"a": [1, 2], "b": [b"\xe9t\xe9", b"u"]} | y), "row 0, column `b`"),
        "nul.parquet": bad(arrow({"a": [1, 2], "b": ["u", "v\0"]} | y), "row 1, column `b`"),
        "long-text.parquet": bad(arrow({"a": [1, 2], "b": ["u", "x" * 30_000]} | y), "30000 bytes"),
        "escape-sequence.parquet": bad(arrow({"\x1b[2J": [[1], [2]]} | y), "\\u{1b}[2J"),
        "no-rows.parquet": bad(arrow({"a": [], "y": []}), "columns without rows"),
        "no-columns.parquet": bad(arrow(pa.table({})), "no columns"),
        "only-target.parquet": bad(arrow(y), "no column besides the target"),
        "same-names.parquet": bad(arrow(pa.table([[1, 2], [3, 4], ["p", "q"]], names=["a", "a", "y"])), "two columns are named `a`"),
        "two-targets.parquet": bad(arrow({"label": [1, 2], "target": [1, 2]}), "--target"),
        "missing-refused.parquet": bad(arrow({"a": [1, None]} | y), "row 1, column `a`", 'missing = "refuse"'),
        "missing-target.parquet": bad(arrow({"a": [1, 2], "y": ["p", None]}), "row 1, column `y`"),
        "drop-unknown.parquet": bad(arrow({"a": [1, 2]} | y), "`e`", RECIPE + '\ndrop = ["e"]'),
        "brotli.parquet": bad(arrow({"a": [1, 2]} | y, compression="brotli"), "Brotli"),
        "text-not-numbers.parquet": bad(arrow({"a": ["x", "y"]} | y), "`a`: `x`", RECIPE + '\n[data.columns]\na = "number"'),
        "gzipped.parquet": bad(gzip.compress(arrow({"a": [1, 2]} | y), mtime=0), "gunzip"),
    }


def damaged() -> dict:
    """Files that lie."""
    whole = arrow({"a": [1, 2, 3], "y": ["p", "q", "q"]}, compression="none")
    length = struct.unpack("<I", whole[-8:-4])[0]
    with_length = lambda n: whole[:-8] + struct.pack("<I", n) + b"PAR1"
    ints = struct.pack("<3q", 1, 2, 3)
    texts = b"\1\0\0\0p\1\0\0\0q\1\0\0\0q"
    schema = raw.columns(("a", 2, 0, {}), ("y", 6, 0, {}))
    def a(chunk: bytes, n: int = 3, physical: int = 2, more: dict = {}, repetition: int = 0, **how) -> bytes:
        """A column of three rows beside a good one."""
        return raw.file(raw.columns(("a", physical, repetition, more), ("y", 6, 0, {})), [chunk, raw.page(texts, 3)], n, **how)
    metadata = lambda **more: {1: 1, 2: schema, 3: 3, 4: [{1: [], 3: 3}]} | more.get("more", {})
    chunk = lambda start, size: {2: 4, 3: {1: 2, 4: 0, 5: 3, 7: size, 9: start}}
    elsewhere = lambda start, size: b"PAR1" + raw.footer({2: schema, 3: 3, 4: [{1: [chunk(start, size)] * 2, 3: 3}]})
    huge = b"\x80\x80\x80\x80\x08"  # 2^31
    delta = lambda n: b"\x80\x01\x04" + raw.varint(n) + b"\0"
    return {
        "whole.parquet": good(whole),
        "magic-only.parquet": bad(b"PAR1", "its end may be missing"),
        "two-magics.parquet": bad(b"PAR1" + b"\0\0\0\0" + b"PAR1", "metadata end too soon"),
        "other-start.parquet": bad(b"ORC1" + whole[4:], "does not begin with PAR1"),
        "other-end.parquet": bad(whole[:-4] + b"PAR2", "its end may be missing"),
        "csv.parquet": bad(b"a,y\n1,p\n2,q\n", "does not begin with PAR1"),
        "cut.parquet": bad(whole[: len(whole) // 2], "its end may be missing"),
        "cut-footer.parquet": bad(whole[:-9], "its end may be missing"),
        "encrypted.parquet": bad(b"PARE" + whole[4:-4] + b"PARE", "encrypted"),
        "encrypted-columns.parquet": bad(b"PAR1" + raw.footer({2: schema, 3: 3, 4: [], 8: {1: {}}}), "encrypted"),
        "footer-too-long.parquet": bad(with_length(length + 10**6), "footer is longer than the file"),
        "footer-of-4-gigabytes.parquet": bad(with_length(2**32 - 1), "footer is longer than the file"),
        "footer-empty.parquet": bad(with_length(0), "metadata end too soon"),
        "footer-short.parquet": bad(with_length(length - 40), ""),
        "footer-without-columns.parquet": bad(b"PAR1" + raw.footer({1: 1, 3: 3}), "lacks columns or row groups"),
        "footer-nested.parquet": bad(b"PAR1" + raw.footer(b"\x1c" * 10_000), "nested too deeply"),
        "footer-lists-nested.parquet": bad(b"PAR1" + raw.footer(b"\x19" * 10_000), "nested too deeply"),
        "footer-many-flags.parquet": bad(b"PAR1" + raw.footer(b"\x19\xf1" + huge + b"\1" * 1000), "metadata end too soon"),
        "footer-many-columns.parquet": bad(b"PAR1" + raw.footer(b"\x29\xfc" + huge + b"\0" * 1000), "metadata end too soon"),
        "many-children.parquet": bad(b"PAR1" + raw.footer({2: [{4: "s", 5: 2**31 - 1}], 3: 3, 4: []}), "ends too soon"),
        "minus-children.parquet": bad(b"PAR1" + raw.footer({2: [{4: "s", 5: -1}], 3: 3, 4: []}), "another one"),
        "columns-nested.parquet": bad(b"PAR1" + raw.footer({2: [{4: "s", 5: 1}] + [{4: "x", 3: 0, 5: 1}] * 500 + [{1: 1, 3: 0, 4: "x"}], 3: 0, 4: []}), "columns without rows"),
        "columns-too-many.parquet": bad(b"PAR1" + raw.footer({2: schema + [{1: 1, 3: 0, 4: "z"}], 3: 3, 4: []}), "more than it says"),
        "columns-none.parquet": bad(b"PAR1" + raw.footer({2: [{4: "s", 5: 0}], 3: 0, 4: []}), "no columns"),
        "type-unknown.parquet": bad(b"PAR1" + raw.footer({2: raw.columns(("a", 9, 0, {})), 3: 0, 4: []}), "a type that there is not"),
        "fixed-without-length.parquet": bad(b"PAR1" + raw.footer({2: raw.columns(("a", 7, 0, {})), 3: 0, 4: []}), "a type that there is not"),
        "decimal-places.parquet": bad(b"PAR1" + raw.footer({2: raw.columns(("a", 2, 0, {6: 5, 7: 2**31 - 1})), 3: 0, 4: []}), "more places"),
        "row-groups-without-columns.parquet": bad(b"PAR1" + raw.footer(metadata()), "a row group lacks columns"),
        "rows-too-many.parquet": bad(a(raw.page(ints, 3), 3, rows=4), "not as many rows"),
        "rows-overflow.parquet": bad(a(raw.page(ints, 3), 2**63 - 1, groups=3, rows=3), "not as many rows"),
        "rows-minus.parquet": bad(a(raw.page(ints, 3), -1), "another one"),
        "rows-of-group-more.parquet": bad(a(raw.page(ints, 3), 4), "another number of values"),
        "rows-of-group-fewer.parquet": bad(a(raw.page(ints, 3), 2), "another number of values"),
        "rows-2-to-the-62.parquet": bad(a(raw.page(ints, 3), 2**62), "another number of values"),
        "chunk-behind-the-end.parquet": bad(elsewhere(10**9, 10), "behind the end"),
        "chunk-overflow.parquet": bad(elsewhere(2**63 - 1, 2**63 - 1), "behind the end"),
        "chunk-minus.parquet": bad(elsewhere(-4, 10), "another one"),
        "chunk-in-another-file.parquet": bad(b"PAR1" + raw.footer({2: schema, 3: 3, 4: [{1: [{1: "other.parquet"} | chunk(4, 1)] * 2, 3: 3}]}), "other files"),
        "chunk-empty.parquet": bad(elsewhere(4, 0), "another number of values"),
        "page-longer.parquet": bad(a(raw.page(ints, 3).replace(ints, ints[:-1])), "a page is longer than its column"),
        "page-of-nothing.parquet": bad(a(b"\0" * 40), "does not say what it is"),
        "page-values-short.parquet": bad(a(raw.page(ints[:-1], 3)), "fewer values"),
        "page-minus.parquet": bad(a(raw.encode({1: 0, 2: -5, 3: -5, 5: {1: 3, 2: 0, 3: 3, 4: 3}})), "another one"),
        "page-text-longer.parquet": bad(a(raw.page(b"\xff\xff\xff\x7fp", 3), physical=6), "fewer values"),
        "page-levels-short.parquet": bad(a(raw.page(b"\xff\0\0\0\3", 3), repetition=1), "which values are missing"),
        "page-levels-of-old.parquet": bad(a(raw.encode({1: 0, 2: 25, 3: 25, 5: {1: 3, 2: 0, 3: 4, 4: 4}}) + b"\7" + ints, repetition=1), "no longer used"),
        "page-v2-levels-long.parquet": bad(a(raw.encode({1: 3, 2: 24, 3: 24, 8: {1: 3, 2: 0, 3: 3, 4: 0, 5: 2**31 - 1, 6: 2**31 - 1, 7: False}}) + ints), "which values are missing"),
        "encoding-unknown.parquet": bad(a(raw.page(ints, 3, encoding=77)), "encoded in a way"),
        "encoding-of-texts.parquet": bad(a(raw.page(ints, 3, encoding=7)), "not for its type"),
        "dictionary-missing.parquet": bad(a(raw.page(b"\1\3\7", 3, encoding=8)), "its dictionary does not have"),
        "dictionary-short.parquet": bad(a(raw.dictionary(ints[:8], 1) + raw.page(b"\1\3\7", 3, encoding=8)), "its dictionary does not have"),
        "dictionary-longer.parquet": bad(a(raw.dictionary(ints, 2**31 - 1) + raw.page(b"\1\3\0", 3, encoding=8)), "fill the memory"),
        "dictionary-wide.parquet": bad(a(raw.dictionary(ints, 3) + raw.page(b"\xff\3\0", 3, encoding=8)), "more bits"),
        "dictionary-no-width.parquet": bad(a(raw.dictionary(ints, 3) + raw.page(b"", 3, encoding=8)), "fewer values"),
        "runs-of-nothing.parquet": bad(a(raw.dictionary(ints, 3) + raw.page(b"\1" + b"\0" * 9000, 3, encoding=8)), "fewer values"),
        "delta-lengths.parquet": bad(a(raw.page(b"\x80\1\4\xff\xff\xff\xff\7\0", 3, encoding=6), physical=6), "fewer values"),
        "delta-minus.parquet": bad(a(raw.page(delta(3)[:-1] + b"\1\0" + b"\0" * 4, 3, encoding=6), physical=6), "fewer values"),
        "delta-blocks.parquet": bad(a(raw.page(b"\0\0\3\0\0", 3, encoding=5)), "do not fit together"),
        "delta-wide.parquet": bad(a(raw.page(delta(3) + b"\0" + b"\xff" * 4 + ints, 3, encoding=5)), "do not fit together"),
        "delta-prefix.parquet": bad(a(raw.page(delta(3)[:-1] + b"\4\0" + b"\0" * 4 + delta(3) + b"\0" * 5, 3, encoding=7), physical=6), "fewer values"),
        "varint-endless.parquet": bad(a(raw.page(b"\1" + b"\x80" * 40, 3, encoding=8)), ""),
        "split-streams-short.parquet": bad(a(raw.page(ints[:-8], 3, encoding=9)), "fewer values"),
    } | {f"cannot-decompress-{name}.parquet": bad(a(raw.page(b"\xf5" * 30, 3, size=24), codec=codec), "cannot be decompressed") for name, codec in (("snappy", 1), ("gzip", 2), ("zstd", 6), ("lz4", 7))} | {
        "codec-unknown.parquet": bad(a(raw.page(ints, 3), codec=99), "not known"),
        "codec-lz4-of-old.parquet": bad(a(raw.page(ints, 3), codec=5), "no longer used"),
    }


def bombs() -> dict:
    """A few bytes that claim to be many."""
    n = 2**31 - 1
    texts = b"\1\0\0\0p\1\0\0\0q\1\0\0\0q"
    def a(chunk: bytes, rows: int, physical: int = 2, more: dict = {}, **how) -> bytes:
        return raw.file(raw.columns(("a", physical, 0, more), ("y", 6, 0, {})), [chunk, raw.page(texts, 3)], rows, **how)
    one = raw.dictionary(struct.pack("<q", 7), 1)
    run = lambda count: raw.page(b"\0" + raw.varint(count << 1), count, encoding=8)
    steps = lambda count: raw.page(raw.varint(2**30) + b"\1" + raw.varint(count) + b"\0\2\0", count, encoding=5)
    million = 1_000_000
    squeeze = lambda codec, data: pa.compress(data, codec=codec, asbytes=True)
    blank = bytes(8 * million)
    # The first text has a megabyte, the others are the same: prefixes of 0 and a million, lengths of a million and 0.
    again = 801
    rest = (raw.zigzag(0) + b"\0") * 99
    megabyte = million.to_bytes(3, "little")
    block = lambda first, least, steps: raw.varint(8) + b"\1" + raw.varint(again) + raw.zigzag(first) + raw.zigzag(least) + b"\x18" + steps + rest
    echo = block(0, 0, megabyte + bytes(21)) + block(million, -million, bytes(3) + megabyte * 7) + b"x" * million
    size, echo = len(echo), gzip.compress(echo, mtime=0)
    return {
        "bomb-run.parquet": bad(a(one + run(n), n), "fill the memory"),
        "bomb-runs.parquet": bad(a(one + run(million) * 200, 200 * million), "fill the memory"),
        "bomb-row-groups.parquet": bad(a(one + run(million), million, groups=100), "fill the memory"),
        "bomb-steps.parquet": bad(a(steps(million), million, more={6: 10}), "fill the memory"),
        "bomb-many-steps.parquet": bad(a(steps(n), n), "fill the memory"),
        "bomb-echo.parquet": bad(a(raw.page(echo, again, encoding=7, size=size), again, physical=6, codec=2), "fill the memory"),
        "bomb-snappy.parquet": bad(a(raw.page(b"\xff\xff\xff\xff\7" + b"\xfe\1\0" * 99, 3, size=n), 3, codec=1), "fill the memory"),
        "bomb-gzip.parquet": bad(a(raw.page(gzip.compress(blank, mtime=0), million, size=8 * million), million, codec=2), "fill the memory"),
        "bomb-zstd.parquet": bad(a(raw.page(squeeze("zstd", blank), million, size=8 * million) * 9, 9 * million, codec=6), "fill the memory"),
        "bomb-zstd-longer.parquet": bad(a(raw.page(squeeze("zstd", blank * 4), 3, size=24), 3, codec=6), "cannot be decompressed"),
        "bomb-zstd-window.parquet": bad(a(raw.page(b"\x28\xb5\x2f\xfd\0\xa0" + b"\1\0\0" * 9, 3, size=24), 3, codec=6), "cannot be decompressed"),
        "bomb-chunks.parquet": bad(a(raw.encode({1: 1, 2: 0, 3: 9000}) + bytes(9000), 0, groups=50), "columns without rows"),
    }


def files() -> dict:
    return types() | writers() | of_days() | of_no_table() | damaged() | bombs()
