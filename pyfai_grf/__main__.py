"""python -m pyfai_grf is the command pyfai-grf."""

import sys

from pyfai_grf.cli import main

sys.exit(main())
