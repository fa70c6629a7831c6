"""The napari side: layout, layers, worker. The only place that knows Qt or napari."""
