"""Operations on pipelines and tables: plans, status, rows, dead letters, maintenance. Nothing here prints."""
