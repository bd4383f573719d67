"""The daemon as it is, with a scripted scheduler beside its own sources.

python -m tests.e2e.daemon_with_jobs SCRIPT [FLAGS of ``jouled run``]
"""

import argparse
import os
import sys
from pathlib import Path

from exporter import daemon, logs
from exporter.bootstrap import daemon_plan
from exporter.config import add_flags, load
from tests.e2e.jobs import ScriptedJobs


def main() -> int:
    """Run the daemon until it is told to stop; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("script", type=Path, help="file that tells the jobs")
    add_flags(parser)
    args = parser.parse_args()
    config = load(args, os.environ)
    logs.configure(config.log.level, config.log.format)
    jobs = ScriptedJobs(args.script)
    return daemon.run(config, daemon_plan(lambda: load(args, os.environ), (jobs,)))


if __name__ == "__main__":
    sys.exit(main())
