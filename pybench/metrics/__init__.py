"""Metrics: one file each, whose stem is the metric's name and which defines ``METRIC``; shared maths begins with ``_``.

All are exact. Every metric that compares scores with labels depends only on how many negatives lie above, or tie with,
each distinct score of a positive (``_ranking``), so one sort of bare scores serves all of them. Scores and maps are
finite: a trial whose method returns anything else fails before it gets here.
"""
