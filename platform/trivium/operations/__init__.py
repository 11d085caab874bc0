"""What people ask of pipelines and tables: scaffolds, samples, plans, rows, dead letters. Nothing here prints."""
