"""What can go wrong with a server of the cluster, by what is done about it.

ClusterError          not now: try again later, ever more rarely
├── RefusedError      it knows us not, or will not tell: somebody has to act
└── ExpiredError      it has forgotten what we last saw: ask for all of it again
"""


class ClusterError(Exception):
    """A server could not be asked; the message says why, and never a token."""


class RefusedError(ClusterError):
    """It refused our token, or what was asked for."""


class ExpiredError(ClusterError):
    """The state that a watch was to go on from is too old for it."""
