"""Makes the pictures in `docs/images`: run it from the repository with ``python -m docs.screenshots``.

It needs the flights (``./dev demo``, or ``python -m jobs.prepare_flights``) and a Chromium on the PATH.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from jobs.flight_facts import airlines_in_valkey

IMAGES = Path("docs/images")
CONFIG = "configs/flights.yaml"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = "1100,1080"


def browser() -> str:
    """The browser's program.

    Raises:
        SystemExit: there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit(f"expected one of {', '.join(BROWSERS)} on the PATH, got none. Try: the Debian package chromium")
    return found


def picture(page: Path, image: Path) -> None:
    """Render the top of a page."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                f"--window-size={SIZE}",
                f"--screenshot={image}",
                page.absolute().as_uri(),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )


def main() -> None:
    """Runs parity of the flights and takes the picture of its page."""
    browser()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "parity.html"
        command = (sys.executable, "-m", "trivium.cli.main", "parity", CONFIG, "--sample", "all", "--html", str(page))
        with airlines_in_valkey(Path("data/flights")) as url:
            subprocess.run(command, check=True, env={**os.environ, "REDIS": url})
        picture(page, IMAGES / "parity.png")


if __name__ == "__main__":
    main()
