"""What the GPU can do at most, as torch measures it: its memory and its tensor cores."""

GIB = 2**30
COPY_BYTES = 8 * GIB
MATMUL_SIZE = 8192


def limits() -> dict[str, float]:
    """Bytes and operations per second. A copy reads and writes; a sum reads alone."""
    import torch

    found = {"copy_bytes_s": _copying(), "read_bytes_s": _reading(), "matmul_operations_s": _multiplying()}
    # Others are to find the memory free.
    torch.cuda.empty_cache()
    return found


def _copying() -> float:
    import torch

    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / _seconds(lambda: target.copy_(source), times=10)


def _reading() -> float:
    import torch

    source = torch.zeros(COPY_BYTES // 4, dtype=torch.float32, device="cuda")
    return COPY_BYTES / _seconds(lambda: source.sum(), times=10)


def _multiplying() -> float:
    import torch

    # Zeros would be multiplied faster than numbers, since they take less power.
    left, right = (torch.randn(MATMUL_SIZE, MATMUL_SIZE, device="cuda").bfloat16() for _ in range(2))
    return 2 * MATMUL_SIZE**3 / _seconds(lambda: left @ right, times=100)


def _seconds(call, times: int) -> float:
    """Of one call, the mean of many after some that warm up."""
    import torch

    for _ in range(max(3, times // 5)):
        call()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(times):
        call()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000 / times
