"""Models from a `config.json`, weights in which every feature is seen, and the files of a checkpoint."""

import copy
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from make_fixtures import write_json

from .family import Family


def architecture(family: Family) -> type:
    return getattr(transformers, family.config["architectures"][0])


def build(family: Family, changes: dict):
    """The model of the family's configuration with `changes`, weights as they come."""
    config = copy.deepcopy(family.config)
    # The weights are expanded here: `transformers` has no MXFP4 in float32.
    config.pop("quantization_config", None)
    for name, value in (family.unsaid | changes).items():
        *path, last = name.split(".")
        part = config
        for step in path:
            part = part[step]
        part[last] = copy.deepcopy(value)
    cls = architecture(family)
    settings = cls.config_class.from_dict(config)
    return cls._from_config(
        settings, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager"
    ).eval()


def with_weights_of(model, family: Family, changes: dict):
    other = build(family, changes)
    other.load_state_dict(model.state_dict())
    return other


def randomize(model, family: Family, seed: int) -> dict[str, torch.Tensor]:
    """Gives the model weights that the type of the checkpoint holds, and returns those that are stored in another form,
    by their names in the checkpoint."""
    generator = torch.Generator().manual_seed(seed)
    packed = {}
    for name, tensor in sorted(model.named_parameters()):
        if family.mxfp4 and name.endswith((".gate_up_proj", ".down_proj")):
            blocks, scales = random_mxfp4(tensor, generator)
            packed |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
            tensor.copy_(convert_moe_packed_tensors(blocks, scales, dtype=torch.float32))
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        tensor.copy_(spread(name, noise, model.config).to(family.dtype))
    # Not what is worked out anew when a checkpoint is loaded, such as the multiplier of embeddings.
    stored = model.state_dict()
    for name, tensor in model.named_buffers():
        if name in stored and tensor.is_floating_point() and tensor.dim() == 0:
            tensor.copy_(tensor.to(family.dtype))
    return packed


def spread(name: str, noise: torch.Tensor, settings) -> torch.Tensor:
    """Normal numbers as weights: large enough that attention and logits are far from flat, small enough that rounding
    does not grow from layer to layer."""
    if "norm" in name:
        counts_from_1 = settings.model_type.startswith("gemma")
        return (0.1 if counts_from_1 else 1.0) + 0.2 * noise
    if name.endswith("alpha_p"):
        return 0.7 + 0.2 * noise
    if name.endswith("alpha_n"):
        return -0.3 + 0.3 * noise
    if name.endswith("sinks"):
        return 1.0 + noise
    if name.endswith("bias"):
        return 0.4 * noise
    if "embed_tokens" in name or "lm_head" in name:
        # Tied and large, every token would predict itself.
        return (0.15 if is_tied(settings) else 0.35) * noise
    if name.endswith(("mlp.gate.weight", "router.weight")):
        return noise * 3.0 / noise.shape[-1] ** 0.5
    stored_by_input = settings.model_type == "gpt_oss" and ".experts." in name
    gain = 1.5 if name.endswith(("q_proj.weight", "k_proj.weight", "qkv_proj.weight")) else 1.0
    return noise * gain / noise.shape[-2 if stored_by_input else -1] ** 0.5


def is_tied(settings) -> bool:
    return settings.get_text_config().tie_word_embeddings


def random_mxfp4(tensor: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Blocks of 32 numbers and their scales, about as large as the other weights."""
    experts, inputs, outputs = tensor.shape
    blocks = torch.randint(0, 256, (experts, outputs, inputs // 32, 16), generator=generator, dtype=torch.uint8)
    scales = torch.randint(121, 125, blocks.shape[:-1], generator=generator, dtype=torch.uint8)
    return blocks, scales


def write(path: Path, family: Family, model, packed: dict[str, torch.Tensor]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    write_json(path / "config.json", family.config)
    state = model.state_dict()
    if is_tied(model.config):
        del state["lm_head.weight"]
    state = {name: tensor.to(family.dtype) for name, tensor in state.items() if f"{name}_blocks" not in packed}
    tensors = dict(sorted((family.layout(state) | packed).items()))
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    if not packed:
        check_that_it_loads(path, family, model)


def check_that_it_loads(path: Path, family: Family, model) -> None:
    """The files are what `transformers` takes for a checkpoint of the family, with these weights."""
    loaded, report = architecture(family).from_pretrained(path, dtype=torch.float32, output_loading_info=True)
    strange = {name: names for name, names in report.items() if names}
    assert not strange, f"{path.name}: {strange}"
    for (name, theirs), ours in zip(loaded.state_dict().items(), model.state_dict().values(), strict=True):
        assert torch.equal(theirs, ours), f"{path.name}: {name} is loaded with other values"
