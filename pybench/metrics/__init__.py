"""Metrics: one file each, whose stem is the metric's name and which defines ``METRIC``; they share ``evaluation``.

All are exact. Every metric that compares scores with labels depends only on how many negatives lie above, or tie with,
each distinct score of a positive (``evaluation.ranking``), so one sort of the scores serves all of them. Scores and
maps are finite: a trial whose method returns anything else fails before it gets here.
"""
