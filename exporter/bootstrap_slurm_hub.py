"""Composition root of what asks the hub for jobs; loaded where that is wished."""

import socket

from exporter.carbon.configured import hub_authorization, way_to_hub
from exporter.config import Config
from exporter.slurm_hub import SlurmHub
from exporter.workloads.slurm.hub_jobs import HubJobs


def build_slurm_hub(config: Config, url: str, hub_jobs: HubJobs) -> SlurmHub:
    """Put together what asks the hub for the jobs of this node.

    Args:
        config: as configured.
        url: address of the hub.
        hub_jobs: gets what it tells.

    Raises:
        ConfigError: the password or a certificate cannot be used.
    """
    return SlurmHub(
        hub_jobs,
        url,
        config.slurm.node_name or socket.gethostname(),
        hub_authorization(config.carbon),
        way_to_hub(config.carbon, url),
    )
