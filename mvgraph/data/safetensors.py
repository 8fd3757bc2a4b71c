"""The safetensors file format, read and written with torch alone.

The format is small and holds no code: eight bytes with the length of a JSON header, the header (name ->
dtype, shape, byte range), the bytes. The core depends on six packages and needs a safe file, so the format
stands here; a test reads and writes the same files with the `safetensors` package.
"""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mvgraph.errors import UserError

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    "BOOL": torch.bool,
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
#: No header of ours comes near this; a longer one is not a file of tensors.
_LONGEST_HEADER = 100 * 2**20


def write_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write `tensors` to `path`, atomically.

    Raises:
        UserError: a tensor's type has no place in the format.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    blobs: list[bytes] = []
    offset = 0
    for name, tensor in sorted(tensors.items()):
        if tensor.dtype not in _NAMES:
            raise UserError(f"Tensor '{name}' of type {tensor.dtype} cannot be written to {path.name}.")
        flat = tensor.detach().cpu().contiguous()
        blob = flat.view(-1).view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(struct.pack("<Q", len(text)))
            file.write(text)
            file.writelines(blobs)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file.

    Raises:
        UserError: the file is not there, cut short, or its header does not describe its bytes.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    content = path.read_bytes()
    problem = UserError(f"{path} is not a whole safetensors file; its header does not describe its bytes.")
    if len(content) < 8:
        raise problem
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(_LONGEST_HEADER, len(content) - 8):
        raise problem
    try:
        header = json.loads(content[8 : 8 + length])
        return _tensors_of(header, content[8 + length :])
    except (AttributeError, KeyError, TypeError, RuntimeError, ValueError, RecursionError) as error:
        raise problem from error


def _tensors_of(header: dict[str, Any], body: bytes) -> dict[str, Tensor]:
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    ranges = sorted((*entry["data_offsets"], name) for name, entry in entries.items())
    # Tensors lie one behind the other without gaps or overlaps, so a damaged range cannot pass.
    if [0, *(stop for _, stop, _ in ranges)] != [*(start for start, _, _ in ranges), len(body)]:
        raise ValueError("the byte ranges leave bytes out, or share some")
    return {name: _tensor(entries[name], body[start:stop]) for start, stop, name in ranges}


def _tensor(entry: dict[str, Any], content: bytes) -> Tensor:
    dtype, shape = _DTYPES[entry["dtype"]], entry["shape"]
    if any(type(n) is not int or n < 0 for n in (*shape, *entry["data_offsets"])):
        raise ValueError("shapes and offsets are whole numbers")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError("the shape does not fill the byte range")
    if not content:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(content), dtype=dtype).reshape(shape)
