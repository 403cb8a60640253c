"""What these clients have in common: they send until their standard input ends, and print what they take for stored."""

import sys
import threading

address = sys.argv[1]
closed = threading.Event()
# Between two readings: what is sent has to be compared with what is stored.
PACE_S = 0.01


def _wait():
    sys.stdin.read()
    closed.set()


threading.Thread(target=_wait, daemon=True).start()


def stored(time_us, value):
    print(time_us, value, flush=True)
