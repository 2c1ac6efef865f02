"""What crosses the door between engine and window: frozen records, a file for each family; ``plain`` writes any of them as JSON."""
