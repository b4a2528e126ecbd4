"""`python -m compression_operator`: the operator's process."""

import sys

# kopf imports the package `kubernetes` wherever it finds it, only to log in: 60 MB and two seconds for
# nothing, as we bring our own login. The operator's image does not hold it; a development environment does.
sys.modules["kubernetes"] = None  # type: ignore[assignment]

from compression_operator.main import main  # noqa: E402 - the line above must come first

if __name__ == "__main__":
    sys.exit(main())
