"""Parts that several networks share: U-Nets, recurrent cells, sensitivity networks, data consistency, padding."""
