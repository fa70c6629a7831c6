"""Reading networks from files, one format a module.

Each module has ``guess(path)``, what the file itself tells, and
``load(path, card)``, the network as a torch module.
"""
