"""Lists of hosts as Slurm writes them: ``n[01-03,7],gpu[1-2]-ib[0-1],login``.

Source: the page of scontrol(1), "show hostnames". Numbers keep their zeros in front.
"""

import re
from itertools import product

MOST_HOSTS = 20_000
"""So many nodes a job may have; no cluster has more."""

_LONGEST = 64 * 1024
_PART = re.compile(r"(?:[^,\[\]]|\[[^\[\]]*\])+")
_PIECE = re.compile(r"\[([^\[\]]*)\]|([^\[\]]+)")
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)


def expand_hosts(text: str) -> tuple[str, ...]:
    """Return the names of all hosts of a list, in its order.

    Raises:
        ValueError: it is no such list, or names too many.
    """
    if len(text) > _LONGEST:
        msg = "a list of hosts that is too long"
        raise ValueError(msg)
    hosts: list[str] = []
    end = 0
    for part in _PART.finditer(text):
        if text[end : part.start()].strip(", "):
            break
        end = part.end()
        pieces = [
            (word,) if word else _numbers(ranges)
            for ranges, word in _PIECE.findall(part[0].strip())
        ]
        how_many = 1
        for piece in pieces:
            how_many *= len(piece)
        if len(hosts) + how_many > MOST_HOSTS:
            msg = f"a list of more than {MOST_HOSTS} hosts"
            raise ValueError(msg)
        hosts += ["".join(words) for words in product(*pieces)]
    if text[end:].strip(", "):
        msg = "not a list of hosts"
        raise ValueError(msg)
    return tuple(hosts)


def _numbers(ranges: str) -> tuple[str, ...]:
    found: list[str] = []
    for one in ranges.split(","):
        match = _RANGE.fullmatch(one)
        if match is None:
            msg = "not a range of hosts"
            raise ValueError(msg)
        first, last = match[1], match[2] or match[1]
        low, high = int(first), int(last)
        if not low <= high < low + MOST_HOSTS:
            msg = "a range of hosts that cannot be"
            raise ValueError(msg)
        found += [str(number).zfill(len(first)) for number in range(low, high + 1)]
    return tuple(found)
