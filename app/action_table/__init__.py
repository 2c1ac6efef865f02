"""The actions of the window: those of all workspaces, and a block for each workspace."""
