"""The drawings of a report, a file each."""
