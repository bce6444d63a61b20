"""Results for people and for other programs: tables, progress, JSON, Parquet and CSV."""
