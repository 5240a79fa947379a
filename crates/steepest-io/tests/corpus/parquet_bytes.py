"""Parquet files byte by byte, as no writer would write them."""

import struct


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def zigzag(number: int) -> bytes:
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def kind(value: object) -> int:
    if value is True or value is False:
        return 1 if value else 2
    return {int: 6, str: 8, bytes: 8, list: 9, dict: 12}[type(value)]


def encode(value: object) -> bytes:
    """A value in Thrift's compact protocol; a structure is a dictionary of its fields' numbers."""
    match value:
        case bool():
            return b""
        case int():
            return zigzag(value)
        case str():
            return encode(value.encode())
        case bytes():
            return varint(len(value)) + value
        case list():
            head = kind(value[0]) if value else 12
            size = bytes([len(value) << 4 | head]) if len(value) < 15 else bytes([0xF0 | head]) + varint(len(value))
            return size + b"".join(encode(element) for element in value)
        case dict():
            fields = b"".join(bytes([kind(v)]) + zigzag(n) + encode(v) for n, v in value.items())
            return fields + b"\0"
    raise TypeError(value)


def columns(*named: tuple) -> list:
    """The list of columns: name, physical type, repetition, further fields."""
    return [{4: "schema", 5: len(named)}] + [
        {1: physical, 3: repetition, 4: name} | more for name, physical, repetition, more in named
    ]


def page(values: bytes, n: int, encoding: int = 0, size: int | None = None) -> bytes:
    """A data page of the first kind."""
    size = len(values) if size is None else size
    return encode({1: 0, 2: size, 3: len(values), 5: {1: n, 2: encoding, 3: 3, 4: 3}}) + values


def dictionary(values: bytes, n: int) -> bytes:
    return encode({1: 2, 2: len(values), 3: len(values), 7: {1: n, 2: 0}}) + values


def footer(metadata: dict | bytes) -> bytes:
    metadata = metadata if isinstance(metadata, bytes) else encode(metadata)
    return metadata + struct.pack("<I", len(metadata)) + b"PAR1"


def file(schema: list, chunks: list[bytes], n_rows: int, codec: int = 0, groups: int = 1, rows: int | None = None) -> bytes:
    """A file with these columns, of which every row group has the same chunks."""
    out, places = b"PAR1", []
    for chunk in chunks:
        places.append({2: len(out), 3: {1: 1, 2: [0], 3: ["a"], 4: codec, 5: n_rows, 6: len(chunk), 7: len(chunk), 9: len(out)}})
        out += chunk
    group = {1: places, 2: len(out), 3: n_rows}
    return out + footer({1: 1, 2: schema, 3: n_rows * groups if rows is None else rows, 4: [group] * groups})
