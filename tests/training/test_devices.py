import pytest
import torch

from dlcourse.training import devices
from dlcourse.training.devices import best_device, peak_flops, peak_memory


@pytest.mark.parametrize(
    "cuda, mps, expected", [(True, True, "cuda:0"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_best_device_is_cuda_then_apples_then_the_cpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert str(best_device()) == expected


@pytest.mark.parametrize(
    "name, tera",
    [
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100 80GB PCIe", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA L4", 121),
    ],
)
def test_peaks_are_found_by_the_name_that_torch_gives(name, tera):
    assert peak_flops(name, torch.bfloat16) == tera * 1e12


def test_peaks_that_are_not_known_are_not_guessed():
    with pytest.raises(ValueError, match="L40S isn't known"):
        peak_flops("NVIDIA L40S", torch.bfloat16)
    with pytest.raises(ValueError, match="Tesla T4 in torch.bfloat16 isn't known"):
        peak_flops("Tesla T4", torch.bfloat16)


@pytest.mark.parametrize("name", ["NVIDIA H200 NVL", "NVIDIA A100-SXM4-40GB MIG 1g.5gb"])
def test_slices_and_slower_cards_are_not_taken_for_the_whole(name):
    with pytest.raises(ValueError, match="isn't known"):
        peak_flops(name, torch.bfloat16)


def test_narrower_types_are_never_slower():
    order = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
    for peaks in devices.PEAK_FLOPS.values():
        found = [peaks[dtype] for dtype in order if dtype in peaks]
        assert found == sorted(found)


def test_peak_memory_is_in_bytes():
    if not peak_memory(torch.device("cpu")):
        pytest.skip("this system doesn't say")
    big = torch.ones(50_000_000)  # 200 MB
    assert 200e6 < peak_memory(torch.device("cpu")) < 2**37
    assert big.sum() > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_peak_memory_of_a_gpu_is_that_of_tensors():
    device = torch.device("cuda", 0)
    torch.cuda.reset_peak_memory_stats(device)
    before = peak_memory(device)
    torch.ones(25_000_000, device=device)
    assert peak_memory(device) - before == pytest.approx(1e8, rel=0.05)
