"""Documents the service issues: accessible PDF (PDF/UA-1 and PDF/A-2a) by Typst."""
