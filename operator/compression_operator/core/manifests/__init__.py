"""From spec values to Kubernetes objects, as plain dictionaries; nothing is decided here."""
