"""The values in a pickle without running it: nothing is imported, called or built, only described.

A pickle is a program for a small stack machine. Here its instructions move inert descriptions around: where the
program would call something, a `Made` stands that says what would have been called with what.

Source: the instruction list of Python's `pickletools` (protocols 2 to 5).
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvgraph.errors import UserError

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, type] = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
_TEXTS = (
    "SHORT_BINUNICODE",
    "BINUNICODE",
    "BINUNICODE8",
    "SHORT_BINBYTES",
    "BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
    # Text of Python 2, which is also what it called bytes; it comes as Latin-1.
    "SHORT_BINSTRING",
    "BINSTRING",
)
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_VALUES = frozenset((*_TEXTS, *_NUMBERS))
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Mark:
    """Where a run of values begins on the stack."""


@dataclass
class Made:
    """What the program would have built: the name it would call, the arguments, and the state it would set."""

    name: str
    arguments: Any = ()
    state: Any = None


def described(data: bytes) -> Any:
    """Run the program on descriptions.

    Raises:
        UserError: no pickle, or an instruction that tables of data do not need.
    """
    try:
        return _run(data)
    except UserError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise UserError(f"These bytes are not a pickle of plain data ({error}).") from None


def _run(data: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    instructions: Iterator[tuple[Any, Any, Any]] = pickletools.genops(data)
    for instruction, argument, _ in instructions:
        name = instruction.name
        if name in ("PROTO", "FRAME"):
            continue
        if name == "STOP":
            return stack.pop()
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            stack.append(_Mark())
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("TUPLE", "APPENDS", "SETITEMS"):
            _close(stack, name)
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(Made(f"{module}.{attribute}", None))
        elif name == "GLOBAL":
            module, _, attribute = argument.partition(" ")
            stack.append(Made(f"{module}.{attribute}", None))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, called = stack.pop(), stack.pop()
            stack.append(Made(called.name, arguments))
        elif name == "BUILD":
            state = stack.pop()
            stack[-1].state = state
        else:
            raise UserError(f"This pickle uses the instruction {name}, which plain data does not need.")
    raise UserError("This pickle ends too early.")


def _close(stack: list[Any], name: str) -> None:
    """Take the values above the last mark off the stack and put them where they belong."""
    start = max(i for i, value in enumerate(stack) if isinstance(value, _Mark))
    values = stack[start + 1 :]
    del stack[start:]
    if name == "TUPLE":
        stack.append(tuple(values))
    elif name == "APPENDS":
        stack[-1].extend(values)
    else:
        stack[-1].update(zip(values[::2], values[1::2], strict=True))


def array_of(made: Any) -> np.ndarray:
    """The numpy array that a description stands for: numbers from bytes, or a list of plain objects.

    A numpy scalar gives an array without axes.

    Raises:
        UserError: it does not stand for an array.
    """
    if not isinstance(made, Made):
        raise UserError(f"{made!r:.80} does not describe an array.")
    order: Any
    if made.name.endswith("multiarray.scalar"):
        dtype, content = made.arguments
        shape, order = (), "C"
    elif made.name.endswith("numeric._frombuffer"):
        content, dtype, shape, order = made.arguments
    elif made.name.endswith("multiarray._reconstruct"):
        _, shape, dtype, is_fortran, content = made.state
        order = "F" if is_fortran else "C"
    else:
        raise UserError(f"{made.name} does not describe an array.")
    kind = _dtype_of(dtype)
    if kind.kind != "O":
        return np.frombuffer(_bytes_of(content), dtype=kind).reshape(shape, order=order)
    flat = np.empty(len(content), dtype=object)
    flat[:] = content
    return flat.reshape(shape, order=order)


def _bytes_of(content: Any) -> bytes:
    """Bytes, however the pickle's protocol wrote them down."""
    if isinstance(content, Made) and content.name == "_codecs.encode":
        content = content.arguments[0]
    if isinstance(content, str):
        return content.encode("latin-1")
    if not isinstance(content, bytes | bytearray):
        raise UserError(f"{content!r:.80} is not the content of an array.")
    return bytes(content)


def _dtype_of(made: Any) -> np.dtype[Any]:
    if not (isinstance(made, Made) and made.name == "numpy.dtype"):
        raise UserError(f"{made!r:.80} does not describe a type of values.")
    text = made.arguments[0]
    order = made.state[1] if made.state else "|"
    return np.dtype(object) if text == "O8" else np.dtype(text).newbyteorder(order)
