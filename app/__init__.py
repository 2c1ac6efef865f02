"""The window: Qt, and display arithmetic only. Numbers come from engine.api."""
