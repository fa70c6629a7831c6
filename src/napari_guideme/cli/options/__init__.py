"""What the commands of the shell can be told."""

from napari_guideme.cli.options.applying import add_apply
from napari_guideme.cli.options.evaluating import add_evaluate
from napari_guideme.cli.options.parser import Parser
from napari_guideme.cli.options.refining import add_predict, add_refine
from napari_guideme.cli.options.segmenting import add_segment
from napari_guideme.cli.options.sessions import add_replay
from napari_guideme.cli.options.shipped import add_demo
from napari_guideme.cli.options.understanding import add_understand

__all__ = [
    "Parser",
    "add_apply",
    "add_demo",
    "add_evaluate",
    "add_predict",
    "add_refine",
    "add_replay",
    "add_segment",
    "add_understand",
]
