"""A procedural stand-in for MVTec AD: fifteen drawn categories, its names and layout; see ``docs/guide/standin.md``.

``shapes`` holds signed distances; ``canvas`` pictures, random streams and noise; ``defects`` painters of structural
defects; ``category`` what a category is and how it is rendered (its docstring shows how to write one, ``bottle`` is the
example); ``catalogue`` all fifteen; ``generate`` writes the folders; ``sheet`` shows them.
"""
