"""`spark-submit jobs/deduplicate.py --config FILE`: the same as `equipoise deduplicate`."""

import os
import sys

# Python looks for modules beside its script first: select.py here must not hide the standard library's.
sys.path = [place for place in sys.path if os.path.basename(place) != "jobs"]

from equipoise.cli import run_job  # noqa: E402

if __name__ == "__main__":
    run_job("deduplicate")
