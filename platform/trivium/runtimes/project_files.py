"""The project's files on a worker."""

from __future__ import annotations

import sys
from pathlib import Path


def project_here(root: str) -> Path:
    """Return the project here: the driver's folder where it exists, else this job's working folder (`--working-dir`).

    It is on the path of this process afterwards.
    """
    known = Path(root)
    here = known if known.is_dir() else Path.cwd()
    if str(here) not in sys.path:
        sys.path.insert(0, str(here))
    return here
