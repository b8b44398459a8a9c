"""`python -m bench.speed [QUESTION]`: the answers as tables."""

import argparse
import sys

from bench.speed import loop, pipeline

QUESTIONS = {"pipeline": pipeline.main, "loop": loop.main}


def main(words: list[str] | None = None) -> None:
    """Answer the question that `words` (None: the command line's) name, or all."""
    parser = argparse.ArgumentParser("python -m bench.speed", description="What the machinery costs.")
    parser.add_argument("question", nargs="?", choices=QUESTIONS, help="without it: all of them")
    asked = parser.parse_args(words).question
    try:
        for question in [asked] if asked else QUESTIONS:
            QUESTIONS[question]()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
