"""``python -m exporter.config`` prints the manual of all settings."""

import sys

from exporter.config.manual import describe

sys.stdout.write(describe())
