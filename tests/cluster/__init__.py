"""A real one-node Kubernetes for the demo and the tests, built from Go modules and Debian packages.

Owns: binaries, certificates, one network namespace, the processes of the control plane and the node,
and their removal. Must not know: the operator, its CRDs, or what will run on the node.

    python -m cluster up | down | status | kubeconfig | user
"""
