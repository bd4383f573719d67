"""The daemon as it is, with jobs that are played: for the bench only.

python -m bench.daemon_with_jobs JOBS GPU,GPU,… [FLAGS of ``jouled run``]
"""

import argparse
import os
import sys

from bench.jobs import PlayedJobs
from exporter import daemon, logs
from exporter.bootstrap import daemon_plan
from exporter.config import add_flags, load


def main() -> int:
    """Run the daemon until it is told to stop; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("jobs", type=int, help="how many jobs to play")
    parser.add_argument("gpus", help="names of the GPUs that jobs hold, by commas")
    add_flags(parser)
    args = parser.parse_args()
    # Without jobs there is no scheduler either.
    gpus = tuple(filter(None, args.gpus.split(",")))
    jobs = (PlayedJobs(args.jobs, gpus),) if args.jobs else ()
    config = load(args, os.environ)
    logs.configure(config.log.level, config.log.format)
    return daemon.run(config, daemon_plan(lambda: load(args, os.environ), jobs))


if __name__ == "__main__":
    sys.exit(main())
