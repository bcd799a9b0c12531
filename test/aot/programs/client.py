"""Loads any library by its path with ctypes alone; asks what it offers and runs all of it.

python -I -S client.py LIBRARY: for every function F reads F.in, writes F.out and prints what it knows as JSON.
"""

import ctypes as c
import json
import sys
from pathlib import Path

MAX_RANK = 16
NAMES = ["?", "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
SIZES = [0, 1, 1, 1, 2, 4, 8, 2, 2, 4, 8]


class Tensor(c.Structure):
    _fields_ = [
        ("data", c.c_void_p),
        ("owner", c.c_void_p),
        ("dtype", c.c_int32),
        ("rank", c.c_int32),
        ("shape", c.c_int64 * MAX_RANK),
    ]

    def sizes(self):
        return list(self.shape[: self.rank])

    def bytes(self):
        count = SIZES[self.dtype]
        for size in self.sizes():
            count *= size
        return c.string_at(self.data, count)


class TensorInfo(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("dtype", c.c_int32),
        ("rank", c.c_int32),
        ("shape", c.POINTER(c.c_int64)),
        ("symbols", c.POINTER(c.c_char_p)),
        ("is_written", c.c_int32),
    ]

    def summary(self):
        return [self.name.decode(), NAMES[self.dtype], self.shape[: self.rank], self.is_written]


class FunctionInfo(c.Structure):
    _groups = ("input", "output", "state", "parameter")
    _fields_ = [
        ("name", c.c_char_p),
        *((f"{group}_count", c.c_int32) for group in _groups),
        *((f"{group}s", c.POINTER(c.POINTER(TensorInfo))) for group in _groups),
        ("allocates_outputs", c.c_int32),
    ]

    def group(self, name):
        return [getattr(self, f"{name}s")[i].contents for i in range(getattr(self, f"{name}_count"))]


class Error(c.Structure):
    _fields_ = [("text", c.c_char * 256)]


P = c.POINTER
STATUS = c.c_int32


class Library(c.Structure):
    _fields_ = [
        ("abi_version", c.c_int32),
        ("function_count", c.c_int32),
        ("name", c.c_char_p),
        ("compiler", c.c_char_p),
        ("target", c.c_char_p),
        ("functions", P(P(FunctionInfo))),
        ("open", c.CFUNCTYPE(STATUS, c.c_char_p, P(c.c_void_p), P(Error))),
        ("close", c.CFUNCTYPE(None, c.c_void_p)),
        (
            "run",
            c.CFUNCTYPE(
                STATUS,
                c.c_void_p,
                c.c_int32,
                c.c_void_p,
                P(Tensor),
                c.c_int32,
                P(Tensor),
                c.c_int32,
                P(Error),
            ),
        ),
        ("release", c.CFUNCTYPE(None, P(Tensor))),
        ("state_create", c.CFUNCTYPE(STATUS, c.c_void_p, P(c.c_void_p), P(Error))),
        ("state_reset", c.CFUNCTYPE(STATUS, c.c_void_p)),
        ("state_destroy", c.CFUNCTYPE(None, c.c_void_p)),
        ("state_tensor", c.CFUNCTYPE(STATUS, c.c_void_p, c.c_int32, c.c_int32, P(Tensor))),
        ("find_function", c.CFUNCTYPE(c.c_int32, c.c_char_p)),
        ("error_text", c.CFUNCTYPE(c.c_char_p, STATUS)),
    ]


def load(path):
    get = c.CDLL(path).wse_get_library
    get.restype = P(Library)
    library = get().contents
    assert library.abi_version == 1
    return library


def check(status, error):
    if status:
        sys.exit(f"status {status}: {error.text.decode()}")


def read_inputs(info, open_size):
    """Tensors on the bytes of a file in which each begins at a multiple of 64 bytes."""
    kept = bytearray(Path(f"{info.name.decode()}.in").read_bytes())
    base, offset, tensors = (c.c_char * len(kept)).from_buffer(kept), 0, []
    for described in info.group("input"):
        shape = [open_size if size < 0 else size for size in described.shape[: described.rank]]
        address = c.addressof(base) + offset
        tensors.append(Tensor(address, None, described.dtype, described.rank, (c.c_int64 * MAX_RANK)(*shape)))
        offset += -(-len(tensors[-1].bytes()) // 64) * 64
    return kept, (Tensor * len(tensors))(*tensors)


def run(library, instance, index, open_size):
    info, error = library.functions[index].contents, Error()
    kept, inputs = read_inputs(info, open_size)
    outputs = (Tensor * info.output_count)()
    state = c.c_void_p()
    if info.state_count:
        check(library.state_create(instance, c.byref(state), error), error)
    done = library.run(instance, index, state, inputs, len(inputs), outputs, len(outputs), error)
    check(done, error)
    written = [t for t, d in zip(inputs, info.group("input")) if d.is_written]  # noqa: B905
    Path(f"{info.name.decode()}.out").write_bytes(b"".join(t.bytes() for t in [*outputs, *written]))
    shapes = [tensor.sizes() for tensor in outputs]
    for tensor in outputs:
        library.release(tensor)
    library.state_destroy(state)
    del kept
    return shapes


def main():
    library = load(sys.argv[1])
    instance, error = c.c_void_p(), Error()
    check(library.open(None, c.byref(instance), error), error)
    known = {}
    for index in range(library.function_count):
        info = library.functions[index].contents
        assert library.find_function(info.name) == index
        known[info.name.decode()] = {
            **{
                group: [t.summary() for t in info.group(group)]
                for group in ("input", "output", "state", "parameter")
            },
            "shapes": run(library, instance, index, int(sys.argv[2])),
        }
    library.close(instance)
    print(json.dumps({"name": library.name.decode(), "functions": known}))


main()
