"""What one tick and one scrape cost, part by part, in a process of its own.

    python -m bench.parts JOBS GPU,GPU,… [FLAGS of ``jouled run``]

Prints one JSON object: part -> mean CPU milliseconds. The parts are called as
the daemon calls them, but ten times a second: caches are warmer than at once a
second, so that the sum comes out below what the whole daemon uses.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from bench.jobs import PlayedJobs
from exporter.bootstrap import build_sampler, build_sources
from exporter.bootstrap_live import build_live
from exporter.config import add_flags, load
from exporter.core.errors import SourceAbsentError
from exporter.core.ports import Source
from exporter.exposition.scrape import Scrapes
from exporter.pipeline.checkpoint import Checkpoint, read_boot_id
from exporter.pipeline.engine import Engine
from exporter.pipeline.runner import Publisher
from exporter.pipeline.sampler import Sampler, Sources

_WARM_TICKS = 10
_PERIOD_S = 0.1


class Timing:
    """CPU time of all threads of this process, by part."""

    def __init__(self) -> None:
        self._spent_s: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what is done inside for one part."""
        begin_s = time.process_time()
        yield
        self._spent_s[part].append(time.process_time() - begin_s)

    def mean_ms(self) -> dict[str, float]:
        """Mean of each part without the first, cold ones, ms."""
        return {
            part: statistics.fmean(spent_s[_WARM_TICKS:]) * 1e3
            for part, spent_s in self._spent_s.items()
        }


def main() -> None:
    """Tick and scrape for a while, and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("jobs", type=int, help="how many jobs to play")
    parser.add_argument("gpus", help="names of the GPUs that jobs hold, by commas")
    parser.add_argument("--ticks", type=int, default=60, help="how many are measured")
    add_flags(parser)
    args = parser.parse_args()
    config = load(args, os.environ)

    sources = build_sources(config)
    if args.jobs:
        jobs = PlayedJobs(args.jobs, tuple(filter(None, args.gpus.split(","))))
        sources = replace(sources, workloads=(jobs,))
    config.state.run_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(config.state.run_dir, read_boot_id(config.path.procfs))
    sampler = build_sampler(config, sources)
    engine = Engine(build_live(config).settings)
    timing = Timing()
    ticks = _WARM_TICKS + args.ticks
    try:
        _tick(sampler, engine, checkpoint, timing, ticks)
        # The sampler is at rest now: nobody else reads these sources.
        _read_alone(sources, timing, ticks)
    finally:
        checkpoint.close()
        sampler.close()
    sys.stdout.write(json.dumps(timing.mean_ms()) + "\n")


def _tick(
    sampler: Sampler,
    engine: Engine,
    checkpoint: Checkpoint,
    timing: Timing,
    ticks: int,
) -> None:
    publisher = Publisher(sampler.interval_s)
    scrapes = Scrapes(publisher, "job", "bench")
    for _ in _paced(ticks):
        with timing.of("tick: read the sources"):
            sample = sampler.sample()
        with timing.of("tick: fold"):
            snapshot = engine.fold(sample)
        with timing.of("tick: checkpoint"):
            checkpoint.save(engine.state)
        with timing.of("tick: publish"):
            publisher.publish(snapshot)
        with timing.of("scrape: text"):
            scrapes.body("text", gzip=False)
        with timing.of("scrape: OpenMetrics"):
            scrapes.body("openmetrics", gzip=False)
        with timing.of("scrape: gzip on top"):
            scrapes.body("openmetrics", gzip=True)


def _read_alone(sources: Sources, timing: Timing, ticks: int) -> None:
    """Read the sources in this thread, without handing them to a worker."""
    members = [one for driver in sources.drivers for one in driver.members()]
    parts: dict[str, list[Source[object]]] = {
        "read alone: powercap": list(sources.power[:1]),
        "read alone: node usage": [sources.node],
        "read alone: NVML": [*sources.drivers, *members],
        "read alone: played jobs": list(sources.workloads),
    }
    for _ in _paced(ticks):
        for part, some in parts.items():
            with timing.of(part):
                for source in some:
                    # A node without Slurm asks whether there is one, too.
                    with suppress(SourceAbsentError):
                        source.read()


def _paced(ticks: int) -> Iterator[int]:
    begin_s = time.monotonic()
    for number in range(ticks):
        time.sleep(max(0.0, begin_s + number * _PERIOD_S - time.monotonic()))
        yield number


if __name__ == "__main__":
    main()
