"""What is shown: tables, timelines, charts and the report. Reads result documents, traces and histories, nothing else."""
