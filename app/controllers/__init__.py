"""One controller for each panel: intent to request to job to session."""
