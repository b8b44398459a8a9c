"""What the machinery costs beside its limits and beside other libraries: `bench speed`, one file a question.

A question's `measure(tick)` returns its answers; `tick` is told what further share of the work is done.
"""
