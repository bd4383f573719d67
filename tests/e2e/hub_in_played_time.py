"""The hub as it is, on a clock that goes faster or slower than time.

python -m tests.e2e.hub_in_played_time FACTOR BEGIN BEGIN [FLAGS of ``jouled hub``]
"""

import argparse
import os
import sys

from exporter import bootstrap_hub, logs
from exporter.config import add_flags
from exporter.hub.loading import load
from exporter.hub.settings import SECTIONS
from tests.fakes.played_time import PlayedTime


def main() -> int:
    """Run the hub until it is told to stop; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clock", type=float, nargs=3, help="see PlayedTime")
    add_flags(parser, SECTIONS)
    args = parser.parse_args()
    config = load(args, os.environ)
    logs.configure(config.log.level, config.log.format)
    clocks = PlayedTime(*args.clock).clocks
    return bootstrap_hub.run(config, lambda: load(args, os.environ), clocks)


if __name__ == "__main__":
    sys.exit(main())
