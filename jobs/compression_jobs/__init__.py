"""The pods' half of the project: one stage of a run per process, `python3 -m compression_jobs <stage>`.

Owns everything that needs a credential or an outside address: storage, registry, scanner, probes. Must not
know Kubernetes: what to do comes in as one document, what came out leaves as one small result.
"""
