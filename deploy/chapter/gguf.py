"""Writes a GGUF file, version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): keys, then tensors."""
import struct

ALIGNMENT = 32
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
F32, F16 = 0, 1


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)


def key(name, kind, value):
    """value: of this kind, or a list of such."""
    if not isinstance(value, list):
        return text(name) + struct.pack("<I", kind) + scalar(kind, value)
    items = b"".join(scalar(kind, item) for item in value)
    return text(name) + struct.pack("<IIQ", ARRAY, kind, len(value)) + items


def padded(data):
    return data + bytes(-len(data) % ALIGNMENT)


def write(path, keys, tensors):
    """keys: [(name, kind, value)]; tensors: [(name, array)], numpy arrays of float32 or float16."""
    infos, data = b"", b""
    for name, array in tensors:
        kind = {"float32": F32, "float16": F16}[array.dtype.name]
        dims = array.shape[::-1]
        infos += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, len(data))
        data += padded(array.tobytes())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(key(*one) for one in keys) + infos
    with open(path, "wb") as file:
        file.write(padded(head) + data)
