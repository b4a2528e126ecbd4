"""Container images without a container engine: Debian packages, locked wheels and our code as OCI layers.

Owns: how each layer is made, their cache, image configurations and manifests, and the push to a registry.
Must not know: Kubernetes, or what the images are used for.

    python -m cluster.images build | push --registry HOST[/PREFIX] | export NAME FILE
"""
