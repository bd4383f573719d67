"""``jouled simulate``: the daemon on a machine that is not there."""

import argparse
import logging
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import logs
from exporter.config import (
    Config,
    Gpu,
    Kubernetes,
    Paths,
    Power,
    Slurm,
    State,
    add_flags,
    load,
)
from exporter.config.settings import SECTIONS
from exporter.core.errors import ConfigError

if TYPE_CHECKING:
    from exporter.simulation.cluster import Cluster

_DESCRIPTION = """\
Run the daemon on a simulated node: sockets, memory and GPUs that are not there, with
jobs of Slurm and pods of Kubernetes that come and go.

Everything but the machine is real: readers, division among jobs, metrics, page. The
jobs follow from the flags and the time alone, so the nodes of a cluster that are given
the same --nodes, --schedulers, --gpus and --seed have jobs in common. Whatever is read
here says "simulated" of itself: nothing of it is measured.
"""

_EPILOG = """\
examples:
  jouled simulate                                   one node of a cluster of four
  jouled simulate --node-index 2 --web.listen-address 127.0.0.1:9882
  jouled simulate --nodes 1 --schedulers slurm --gpus 4
  jouled simulate --carbon.zone DE --carbon.hub-url http://127.0.0.1:9879

Its files are in a directory of its own and go when it ends. Flags that say where a
machine has its files are those of 'jouled run' alone. docs/simulation.md has more.
"""

# What a simulated machine decides itself.
_OF_MACHINES = frozenset({"path", "state", "power", "slurm", "kubernetes", "gpu"})
_MIXTURES = ("mixed", "slurm", "kubernetes", "both")
_MOST_NODES = 10_000
_MOST_GPUS = 16
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?", re.ASCII)

_log = logging.getLogger(__name__)


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add ``simulate`` to the command line."""
    parser = subparsers.add_parser(
        "simulate",
        help="run the daemon on a machine that is not there",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    group = parser.add_argument_group("the simulated cluster")
    group.add_argument(
        "--node-index",
        metavar="N",
        default="0",
        help="which node of the cluster this is, from 0 (default: 0)",
    )
    group.add_argument(
        "--nodes",
        metavar="N",
        default="4",
        help="how many nodes the cluster has (default: 4)",
    )
    group.add_argument(
        "--name",
        help="what the node is called (default: node01 for the first one)",
    )
    group.add_argument(
        "--schedulers",
        metavar="{" + ",".join(_MIXTURES) + "}",
        default="mixed",
        help="who hands out work; mixed: of four nodes two have Slurm, one Kubernetes, "
        "and one both (default: mixed)",
    )
    group.add_argument(
        "--gpus",
        metavar="N",
        default="8",
        help=f"GPUs of each node, 0 to {_MOST_GPUS} (default: 8)",
    )
    group.add_argument(
        "--seed",
        default="jouled",
        help="any word; another one makes other jobs (default: jouled)",
    )
    sections = tuple(each for each in SECTIONS if each.name not in _OF_MACHINES)
    add_flags(parser, sections)
    parser.set_defaults(run=simulate)


def simulate(args: argparse.Namespace) -> int:
    """Run the daemon on a simulated node until it is told to stop.

    Returns:
        Its exit code.

    Raises:
        ConfigError: the command line or the configuration cannot be used.
    """
    # Whoever does not simulate does not load it.
    from exporter.simulation.scene import ChildEndedError, enter  # noqa: PLC0415 - above

    cluster, index = _cluster(args)
    name = _name(args.name, index)
    config = load(args, os.environ)
    logs.configure(config.log.level, config.log.format)
    try:
        folder = enter()
    except ChildEndedError as ended:
        return ended.code
    except OSError as error:
        msg = f"cannot make a directory for the machine: {error}; set TMPDIR"
        raise ConfigError(msg) from error
    return _live(args, cluster, index, name, folder)


def _live(
    args: argparse.Namespace, cluster: "Cluster", index: int, name: str, folder: Path
) -> int:
    # They bring the web server along, which --help has no use for.
    from exporter import bootstrap, daemon  # noqa: PLC0415 - see above
    from exporter.simulation.node import SimulatedNode  # noqa: PLC0415 - see above
    from exporter.simulation.script import Script  # noqa: PLC0415 - see above

    node = SimulatedNode(Script(cluster, index), name, folder)
    schedulers = cluster.schedulers(index)

    def read_config() -> Config:
        return replace(
            load(args, os.environ),
            path=Paths(node.procfs, node.sysfs, node.cgroupfs),
            state=State(run_dir=node.run_dir, dir=folder / "lib"),
            power=Power(model="off"),
            slurm=Slurm(enabled="slurm" in schedulers),
            kubernetes=Kubernetes(
                enabled="true" if "kubernetes" in schedulers else "false"
            ),
            gpu=Gpu(device_dir=folder / "dev", gpustat_dir=folder / "gpustat"),
        )

    plan = bootstrap.daemon_plan(read_config, stand_ins=node.stand_ins)
    _log.warning(
        "this machine is simulated: nothing that is told of it was measured",
        extra={"node": name, "schedulers": ",".join(schedulers), "files": str(folder)},
    )
    with node.playing():
        return daemon.run(read_config(), plan)


def _cluster(args: argparse.Namespace) -> "tuple[Cluster, int]":
    from exporter.simulation.cluster import Cluster, NodeSize  # noqa: PLC0415 - as above

    nodes = _whole("--nodes", args.nodes, 1, _MOST_NODES)
    index = _whole("--node-index", args.node_index, 0, _MOST_NODES)
    if index >= nodes:
        msg = (
            f"--node-index: {index} is none of {nodes} nodes, which are 0 to "
            f"{nodes - 1}; see --nodes"
        )
        raise ConfigError(msg)
    if args.schedulers not in _MIXTURES:
        msg = f"--schedulers: expected {', '.join(_MIXTURES)}, got {args.schedulers!r}"
        raise ConfigError(msg)
    size = NodeSize(gpus=_whole("--gpus", args.gpus, 0, _MOST_GPUS))
    return Cluster(args.seed, nodes, args.schedulers, size), index


def _whole(flag: str, text: str, least: int, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        msg = f"{flag}: expected a whole number from {least} to {most}, got {text!r}"
        raise ConfigError(msg)
    return number


def _name(given: str | None, index: int) -> str:
    from exporter.simulation.names import default_name  # noqa: PLC0415 - as above

    name = default_name(index) if given is None else given
    if not _NAME.fullmatch(name):
        msg = f"--name: expected letters, digits, . and -, 63 at most, got {name!r}"
        raise ConfigError(msg)
    return name
