"""TemplateBank and pack_templates: what is packed, and in which precision; test_mutual_match.py matches with banks."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pybench.ops import pack_templates
from pybench.types import InputError


def random_templates(seed: int) -> Tensor:
    return torch.randn(21, 11, 4, 3, generator=torch.Generator().manual_seed(seed))


def test_a_reduced_bank_can_be_unpacked_and_takes_half_the_memory() -> None:
    templates = random_templates(14)
    bank = pack_templates(templates, "reduced")
    assert (bank.precision, bank.count, bank.channels) == ("reduced", 21, 11)
    torch.testing.assert_close(bank.templates(), functional.normalize(templates, dim=1), atol=2**-16, rtol=0)
    assert bank.panels.nbytes == pack_templates(templates[:, :6]).panels.nbytes


def test_a_bank_moves_to_another_device() -> None:
    templates = random_templates(15)
    assert pack_templates(templates).to("meta").panels.device.type == "meta"
    reduced = pack_templates(templates, "reduced")
    assert torch.equal(reduced.to("cpu").panels, reduced.panels)
    assert reduced.to("meta").panels.dtype == torch.float16


def test_reduced_precision_refuses_with_a_reason() -> None:
    with pytest.raises(InputError, match=r"takes float32, but templates are torch\.float64"):
        pack_templates(torch.ones(1, 2, 3, 3).double(), "reduced")
    with pytest.raises(InputError, match="precision must be full or reduced, but is 'half'"):
        pack_templates(torch.ones(1, 2, 3, 3), "half")
