"""An offline vulnerability database for Trivy, made from the changelogs of Debian packages."""
