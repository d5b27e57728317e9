"""From fused groups to loop nests, readable kernel source and the driver that calls them."""
