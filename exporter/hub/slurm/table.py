"""The jobs of a cluster by node, and the answer to each node."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from exporter.hub.slurm.api_models import SlurmJobAnswer, SlurmJobsAnswer
from exporter.hub.slurm.jobs import SlurmJob

# Jobs times their nodes; beyond that the rest of the jobs has no node.
_MOST_PLACES = 2_000_000

# Changes when a field changes its meaning: what a node keeps is then old.
_FORM = b"1"


class Prepared(NamedTuple):
    """An answer, and what it is known by."""

    etag: bytes
    body: bytes


class JobTable:
    """What one poll brought; answers are written when they are asked for.

    Args:
        jobs: all jobs that hold nodes.
        fetched_unix_s: when they were told, wall clock, s.

    Attributes:
        fetched_unix_s: as given.
        size: how many jobs there are.
    """

    def __init__(self, jobs: Iterable[SlurmJob], fetched_unix_s: float) -> None:
        self.fetched_unix_s = fetched_unix_s
        self.size = 0
        by_node: dict[str, list[SlurmJob]] = {}
        left = _MOST_PLACES
        for job in jobs:
            self.size += 1
            left -= len(job.nodes)
            for node in job.nodes if left >= 0 else ():
                by_node.setdefault(node.lower(), []).append(job)
        self._by_node: Mapping[str, list[SlurmJob]] = by_node
        self._prepared: dict[str, Prepared] = {}
        self._nothing = _prepare((), fetched_unix_s)

    def answer(self, node: str) -> Prepared:
        """Return the answer to a node.

        Args:
            node: its name, with or without its domain; Slurm leaves that out.
        """
        name = node.lower()
        jobs = self._by_node.get(name)
        if jobs is None:
            name = name.partition(".")[0]
            jobs = self._by_node.get(name)
        if jobs is None:
            return self._nothing
        prepared = self._prepared.get(name)
        if prepared is None:
            prepared = self._prepared[name] = _prepare(jobs, self.fetched_unix_s)
        return prepared


def jobs_answer(jobs: Iterable[SlurmJob], fetched_unix_s: float) -> SlurmJobsAnswer:
    """Describe the jobs of a node."""
    return SlurmJobsAnswer(
        fetched_unix_s=fetched_unix_s,
        jobs=tuple(
            SlurmJobAnswer(
                job_id=job.job_id,
                name=job.name,
                user=job.user,
                uid=job.uid,
                account=job.account,
                partition=job.partition,
                array_job_id=job.array_job_id,
                array_task_id=job.array_task_id,
                het_job_id=job.het_job_id,
                node_list=job.node_list,
                start_unix_s=job.start_unix_s,
                time_limit_s=job.time_limit_s,
                state=job.state,
            )
            for job in jobs
        ),
    )


def _prepare(jobs: Iterable[SlurmJob], fetched_unix_s: float) -> Prepared:
    answer = jobs_answer(jobs, fetched_unix_s)
    # That it was told once more is no news for who has it already.
    lasting = answer.model_dump_json(exclude={"fetched_unix_s"})
    digest = hashlib.blake2b(_FORM + lasting.encode(), digest_size=12).hexdigest()
    return Prepared(b'W/"%b"' % digest.encode(), answer.model_dump_json().encode())
