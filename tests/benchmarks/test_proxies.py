from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks/proxies.py"


def test_every_proxy_is_judged_and_wordnet_distracts_less(shared):
    vectors = shared / "models/glove100/glove100_top50k_f16.npz"
    result = subprocess.run(
        [sys.executable, SCRIPT, "--vectors", vectors], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    shares = re.findall(r"^(\w+): (\d+) of (\d+) distract.* (\d+) not judged", result.stdout, re.M)
    assert [way for way, *_ in shares] == ["wordnet", "vectors"]
    (wordnet, of_wordnet, unread), (vectors, of_vectors, unread_too) = (
        tuple(map(int, numbers)) for _, *numbers in shares
    )
    assert unread == unread_too == 0
    assert of_vectors == 100
    assert wordnet / of_wordnet < vectors / of_vectors
    assert re.search(
        r"^aeroplane +Blenheim spaniel +distracts +rule: a kind of dog", result.stdout, re.M
    )
