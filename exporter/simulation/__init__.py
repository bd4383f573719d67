"""A machine that is not there: scripted hardware and jobs for the real daemon.

``script`` says which jobs run where, as a pure function of the cluster and the time:
the nodes of a cluster agree without talking to each other. ``machine`` lets the
hardware of one node live by it, ``files`` shows that as a kernel would, and ``nvml``
as NVIDIA's driver would. ``node`` puts a node together.

Nothing of it is loaded unless ``jouled simulate`` is what runs.
"""
