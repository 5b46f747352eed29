"""Loads every config that is named on the command line; tells what is wrong, as `tftrain fit` does.

    python .ci/check_configs.py configs/*.yaml

Data files are not read.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tftrain import config
from tftrain.errors import ConfigError


def main() -> int:
    """Returns 1 if a config is wrong, else 0."""
    code = 0
    for name in sys.argv[1:]:
        try:
            config.load(Path(name))
        except ConfigError as error:
            print(error)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
