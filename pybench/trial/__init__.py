"""The trial: one method, fitted and evaluated on one category."""
