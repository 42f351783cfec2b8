"""The command line in a process of its own, and encoders that it takes by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

BOTH_ENCODERS = ("--source-encoder", "support.toy_data:hashed_letters")
BOTH_ENCODERS += ("--target-encoder", "support.toy_data:reversed_letters")


def run(*arguments):
    """Run `kakehashi ARGUMENTS`; encoders are named as module:attribute of tests/."""
    command = [sys.executable, "-c", "from kakehashi.cli import main; main()", *map(str, arguments)]
    tests = str(Path(__file__).parents[1])
    found = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": found}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def busy(texts):
    """Fail as a hosted encoder does."""
    raise ConnectionError("429,\ntoo many")


def nothing(texts):
    """Return no vectors."""
    return {}


def limited(texts):
    """Fail at the second batch of many texts, as a service does whose quota ends."""
    from support.toy_data import reversed_letters

    if len(texts) == 16:
        raise ConnectionError("429, the quota is used up")
    return reversed_letters(texts)


def stopped(texts):
    """Be stopped by Ctrl-C at the second batch of many texts."""
    from support.toy_data import reversed_letters

    if len(texts) == 16:
        # A shell has what it runs in the background ignore the signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    return reversed_letters(texts)
