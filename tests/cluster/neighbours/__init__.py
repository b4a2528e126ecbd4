"""What the operator finds beside it in a company: an object store, a registry and a vulnerability scanner.

Owns: their manifests, accounts, certificates and data, and the Secrets of tenants. Must not know the
operator. All run with host networking on the node's address: host, kubelet and pods use one name for each.

    python -m cluster.neighbours up [--tenant NAMESPACE]...
"""
