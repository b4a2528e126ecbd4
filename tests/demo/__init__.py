"""The demo: from nothing, or from your cluster, to a promoted INT8 model that answers; `python -m demo`."""
