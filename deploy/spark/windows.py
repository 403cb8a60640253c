"""spark-submit deploy/spark/windows.py: see telltale_spark/windows.py."""

import sys

from telltale_spark.windows import main

sys.exit(main())
