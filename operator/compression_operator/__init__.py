"""The operator: it decides, pods do, storage and registry remember, the API server is the only truth."""
