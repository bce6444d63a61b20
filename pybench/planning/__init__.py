"""Planning: from a suite's YAML to the list of its trials."""
