"""A machine that is not there: scripted hardware and jobs for the real daemon.

``cluster`` says what there is, and ``script`` which jobs run where, as a pure function
of the cluster and the time: its nodes agree without talking to each other. ``machine``
lets the hardware of one node live by it, ``kernel_files``, ``slurm`` and ``pods`` show
that as a kernel would, and ``nvml`` as NVIDIA's driver would. ``node`` puts a node
together.

Nothing of it is loaded unless ``jouled simulate`` is what runs.
"""
