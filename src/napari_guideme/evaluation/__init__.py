"""How good corrections are: images with truth, simulated users, protocols, figures."""
