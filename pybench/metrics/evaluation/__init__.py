"""Evaluation of a test set: metrics over it, bootstrap intervals, curves; and the mathematics that metrics share.

``evaluate`` applies metrics to a test set and to each type of defect in it, ``bootstrap`` gives intervals of image
metrics, ``curves`` the points of plots. The metrics stand on the other files.
"""
