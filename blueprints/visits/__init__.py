"""The practitioner's journey, and the reading of visit records."""
