"""What Python runs when it starts, in each process that has this directory on its path: see gpu.py."""

import os

if os.environ.get("MPCHECK_TEST_POSING"):
    from tests.fakes.posing.gpu import pose

    pose()
