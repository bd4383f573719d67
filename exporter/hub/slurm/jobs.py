"""Reads the jobs that slurmrestd tells.

Source: ``GET /slurm/v0.0.38/jobs`` of Slurm 22.05 and the descriptions of the later
versions. Fields differ: until v0.0.38 a number is a number or null, later it is an
object ``{"set": true, "infinite": false, "number": 7}``; a state is a word, later a
list of words. A job that cannot be read is left out.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from exporter.carbon.errors import NonsenseError, UnavailableError
from exporter.hub.slurm.hosts import expand_hosts

_LONGEST_TEXT = 256
_LARGEST_ID = 2**32
_LONGEST_LIMIT_MIN = 100 * 366 * 1440
_S_PER_MIN = 60
# Jobs that hold nodes.
_ON_NODES = frozenset({"RUNNING", "SUSPENDED", "STOPPED", "COMPLETING", "CONFIGURING"})
_FIELDS = (
    "account",
    "array_job_id",
    "array_task_id",
    "het_job_id",
    "job_id",
    "job_state",
    "name",
    "nodes",
    "partition",
    "start_time",
    "time_limit",
    "user_id",
    "user_name",
)


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job that holds nodes.

    Attributes:
        job_id: as the nodes number it.
        name: as its user called it.
        user: whose it is; "" if that is not told.
        uid: the number of that user.
        account: who pays; "" if nobody is named.
        partition: where it runs.
        array_job_id: the array it is of; "" if it is of none.
        array_task_id: its number in there.
        het_job_id: the heterogeneous job it is of; "" if it is of none.
        node_list: its nodes as Slurm writes them, cut if that is long.
        nodes: their names.
        start_unix_s: when it began.
        time_limit_s: how long it may run, s; ``None`` if it has no limit.
        state: such as ``RUNNING``.
    """

    job_id: str
    name: str
    user: str
    uid: int | None
    account: str
    partition: str
    array_job_id: str
    array_task_id: str
    het_job_id: str
    node_list: str
    nodes: tuple[str, ...]
    start_unix_s: float
    time_limit_s: float | None
    state: str


def parse_jobs(body: str) -> tuple[SlurmJob, ...]:
    """Read an answer.

    Returns:
        The jobs that hold nodes, in its order.

    Raises:
        UnavailableError: it says that Slurm did not answer.
        NonsenseError: it is no such answer.
    """
    try:
        data: object = json.loads(
            body, object_hook=_only_needed, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        msg = f"the answer is not JSON ({type(error).__name__})"
        raise NonsenseError(msg) from None
    rows = data.get("jobs") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(rows, list):
        msg = "the answer has no jobs"
        raise NonsenseError(msg)
    if data.get("errors") and not rows:
        msg = "slurmrestd could not ask slurmctld; look at its log"
        raise UnavailableError(msg)
    readable = [row for row in rows if isinstance(row, dict) and _id_of(row)]
    if rows and not readable:
        msg = "no job of the answer has a job_id"
        raise NonsenseError(msg)
    found = (_job(row) for row in readable)
    return tuple(job for job in found if job is not None)


def _only_needed(item: dict[str, object]) -> dict[str, object]:
    """Drop most of a job at once: hundreds of fields of each would be in memory."""
    if "job_id" not in item:
        return item
    return {name: item[name] for name in _FIELDS if name in item}


def _job(row: Mapping[str, object]) -> SlurmJob | None:
    """Read a job; ``None`` if it holds no nodes, or cannot be read."""
    state = _state(row.get("job_state"))
    start_s = _number(row.get("start_time"))
    node_list = row.get("nodes")
    if not state or not start_s or not isinstance(node_list, str):
        return None
    try:
        nodes = expand_hosts(node_list)
    except ValueError:
        return None
    limit_min = _number(row.get("time_limit"))
    if limit_min is not None and not 0 < limit_min <= _LONGEST_LIMIT_MIN:
        limit_min = None
    array_job_id = _id_text(row.get("array_job_id"))
    task = _number(row.get("array_task_id")) if array_job_id else None
    uid = _number(row.get("user_id"))
    return SlurmJob(
        job_id=_id_of(row),
        name=_text(row.get("name")),
        user=_text(row.get("user_name")),
        uid=None if uid is None else int(uid),
        account=_text(row.get("account")),
        partition=_text(row.get("partition")),
        array_job_id=array_job_id,
        array_task_id="" if task is None else str(int(task)),
        het_job_id=_id_text(row.get("het_job_id")),
        node_list=_text(node_list),
        nodes=nodes,
        start_unix_s=start_s,
        time_limit_s=None if limit_min is None else limit_min * _S_PER_MIN,
        state=state,
    )


def _id_of(row: Mapping[str, object]) -> str:
    return _id_text(row.get("job_id"))


def _id_text(value: object) -> str:
    """Return an id; "" if there is none, for which Slurm says 0."""
    number = _number(value)
    return "" if not number or number > _LARGEST_ID else str(int(number))


def _number(value: object) -> float | None:
    """Return a number >= 0; ``None`` if it is not set, infinite, or none at all."""
    if isinstance(value, dict):
        if value.get("set") is not True or value.get("infinite") is True:
            return None
        value = value.get("number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _state(value: object) -> str:
    """Return the state of a job that holds nodes; "" if it holds none."""
    words = value if isinstance(value, list) else [value]
    return next(
        (word for word in words if isinstance(word, str) and word in _ON_NODES), ""
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or value == "(null)":
        return ""
    # JSON can hold halves of characters, which nobody could write out again.
    return value[:_LONGEST_TEXT].encode("utf-8", "replace").decode().strip()


def _refuse_constant(_: str) -> NoReturn:
    msg = "not a number"
    raise ValueError(msg)
