"""What can go wrong, named by whose fault it is."""


class ClusterError(Exception):
    """Something failed; the message says what, where, and what to do."""


class MissingRequirementError(ClusterError):
    """The machine lacks something that the cluster cannot bring along."""
