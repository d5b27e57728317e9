"""Names whose comparison does not fit into a case, and the tests that make it.

Those of torchvision are compared with their formulas written out: it is not installed.
"""

from __future__ import annotations

from tests.peers.names import GROUPS

_SEQUENCES = "tests/peers/test_nn_sequences.py"
ELSEWHERE: dict[str, str] = {
    "F.multi_head_attention_forward": _SEQUENCES,
    "F.ctc_loss": _SEQUENCES,
    "_pack_padded_sequence": _SEQUENCES,
    "_pad_packed_sequence": _SEQUENCES,
    "pad_sequence": _SEQUENCES,
    "_weight_norm": "tests/peers/test_parametrize.py",
    "_amp_foreach_non_finite_check_and_unscale_": "tests/peers/test_averages.py",
    "_amp_update_scale_": "tests/peers/test_averages.py",
    **{n: "tests/peers/test_foreach.py" for names in GROUPS.values() for n in names
       if n.startswith("_foreach_")},
    **dict.fromkeys(GROUPS["torchvision.ops"], "tests/vision"),
}
