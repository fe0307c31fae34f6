"""Which parts of a tree a proof is made of: ranges of leaves, and the full subtrees that cover them.

A range `(first, end)` here always starts at a multiple of the largest power of two not above its length, as all
ranges of RFC 6962 do, so it falls into full subtrees from large to small.
"""

Range = tuple[int, int]
Node = tuple[int, int]  # (level, index): the root over leaves index*2^level … (index+1)*2^level - 1


def _split(length: int) -> int:
    """Return the largest power of two below `length`, which is 2 or more."""
    return 1 << ((length - 1).bit_length() - 1)


def inclusion(index: int, size: int) -> list[Range]:
    """Return the ranges whose roots prove leaf `index` (from 0) in a tree of `size`, nearest the leaf first."""
    if not 0 <= index < size:
        msg = f"There is no leaf {index} in a tree of {size}."
        raise ValueError(msg)
    found: list[Range] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low = middle
    return found[::-1]


def consistency(old: int, new: int) -> list[Range]:
    """Return the ranges whose roots prove that a tree of `new` leaves begins with the one of `old`."""
    if not 0 <= old <= new:
        msg = f"A tree of {new} cannot begin with one of {old}."
        raise ValueError(msg)
    if old in (0, new):
        return []
    found: list[Range] = []
    low, high, whole = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low, whole = middle, False
    if not whole:
        found.append((low, high))
    return found[::-1]


def cover(span: Range) -> list[Node]:
    """Return the full subtrees that a range consists of, from left to right."""
    low, high = span
    nodes: list[Node] = []
    while low < high:
        level = (high - low).bit_length() - 1
        nodes.append((level, low >> level))
        low += 1 << level
    return nodes
