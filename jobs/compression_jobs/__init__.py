"""The pods' half of the project: one stage of a run per process, `python3 -m compression_jobs <stage>`.

Owns everything that needs a credential or an outside address: storage, registry, scanner, probes. Must not
know Kubernetes: what to do comes in as one document, what came out leaves as one small result.
"""

import os

# ONNX Runtime reports its use to its maker unless it is told not to before it is loaded: nothing that runs in
# a tenant's cluster may try to call out.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
