"""`python -m rdev_bridge` is the command `rdev-bridge`."""

import sys

from rdev_bridge.cli.main import main

sys.exit(main())
