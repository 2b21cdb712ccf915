"""Writes one small message of samples in each form that Cardinal reads: a byte that tells the form, then the message."""

import gzip
import json
import pathlib
import struct
import sys

NOW_MS = 1_700_000_000_000


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def message(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def fixed(number, value, form="<Q"):
    return varint(number << 3 | 1) + struct.pack(form, value)


def attribute(number, key, value):
    return message(number, message(1, key) + message(2, message(1, value)))


def otlp():
    times = fixed(2, (NOW_MS - 9000) * 10**6) + fixed(3, NOW_MS * 10**6)
    number = times + fixed(4, 5.0, "<d") + attribute(7, b"instance", b"a")
    counts = message(6, struct.pack("<3Q", 1, 2, 1)) + message(7, struct.pack("<2d", 1.0, 2.0))
    histogram = times + fixed(4, 4) + fixed(5, 6.0, "<d") + counts + fixed(11, 0.5, "<d") + fixed(12, 3.0, "<d")
    large = times + fixed(4, 2**53) + message(6, struct.pack("<Q", 2**53)) + attribute(9, b"zone", b"c")
    row = message(8, b"\x08\x02" + message(2, b"\x01\x03"))
    exponential = times + fixed(4, 4) + b"\x30\x02" + row + fixed(12, 0.5, "<d") + fixed(13, 3.0, "<d")
    temporal = b"\x10\x02\x18\x01"
    metrics = [
        message(1, b"m") + message(3, b"s") + message(7, message(1, number) + temporal),
        message(1, b"m") + message(5, message(1, number)),
        message(1, b"h") + message(9, message(1, histogram) + message(1, large) + temporal[:2]),
        message(1, b"h") + message(10, message(1, exponential) + b"\x10\x01"),
    ]
    resource = message(1, attribute(1, b"service.instance.id", b"a"))
    return message(1, resource + message(2, b"".join(message(2, metric) for metric in metrics)))


def remote_write():
    label = message(1, message(1, b"__name__") + message(2, b"m")) + message(1, message(1, b"zone") + message(2, b"a"))
    sample = message(2, fixed(1, 5.0, "<d") + b"\x10" + varint(NOW_MS))
    native = b"\x08\x04" + fixed(3, 6.0, "<d") + b"\x20\x04" + message(11, b"\x08\x02\x10\x02") + message(12, b"\x06\x03")
    return message(1, label + sample + message(4, native + b"\x78" + varint(NOW_MS)))


def remote_write_2():
    symbols = b"".join(message(4, s) for s in [b"", b"__name__", b"m", b"zone", b"a"])
    sample = message(2, fixed(1, 5.0, "<d") + b"\x10" + varint(NOW_MS))
    return symbols + message(5, message(1, b"\x01\x02\x03\x04") + sample)


def otlp_json():
    point = {"timeUnixNano": str(NOW_MS * 10**6), "asDouble": 5.0, "attributes": [{"key": "zone", "value": {"intValue": "3"}}]}
    metric = {"name": "m", "unit": "ms", "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": [point]}}
    return json.dumps({"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [metric]}]}]}).encode()


def literal(plain):
    """A snappy block of one literal."""
    return varint(len(plain)) + bytes([61 << 2]) + struct.pack("<H", len(plain) - 1) + plain


folder = pathlib.Path(sys.argv[1])
forms = [otlp(), otlp_json(), remote_write(), remote_write_2(), literal(remote_write()), gzip.compress(otlp())]
for form, body in enumerate(forms):
    (folder / f"form-{form}").write_bytes(bytes([form]) + body)
