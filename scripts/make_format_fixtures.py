"""Makes tests/fixtures/formats: tiny Llamas in every quantised format, with the logits that
`transformers` computes from the weights that the format says they are.

    make_format_fixtures.py [OUT]

What a weight is follows here from each format's published formula, in numpy. Where the library that
a format comes from runs on a CPU, its own result is held against that: compressed-tensors packs and
unpacks (in the last version that has an order by activations), `transformers` dequantises FP8 and
MXFP4. AutoGPTQ's and AutoAWQ's layouts are written here.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from make_fixtures import FIXTURES, random_model, write_config, write_json
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

VOCAB = 192
TOKENS = 24


def main() -> None:
    torch.set_grad_enabled(False)
    out = Path(sys.argv[1]) if sys.argv[1:] else FIXTURES / "formats"
    # The second size is that of the MLP. Codes of a byte leave room for a smaller one only.
    write(out / "gptq-int4", torch.float16, 256, gptq_config(desc_act=False, sym=True), gptq(order=False, sym=True))
    write(
        out / "gptq-int4-act-order",
        torch.float16,
        256,
        gptq_config(desc_act=True, sym=False, checkpoint_format="gptq_v2"),
        gptq(order=True, sym=False, version=2),
        shards=5,
    )
    write(out / "gptq-int8", torch.float16, 128, gptq_config(bits=8, desc_act=False, sym=False), gptq(False, False, bits=8))
    write(out / "awq-int4", torch.float16, 256, AWQ_CONFIG, awq)
    packed = dict(num_bits=4, type="int", strategy="group", group_size=64)
    write(out / "compressed-int4", torch.bfloat16, 256, *compressed("pack-quantized", symmetric=True, **packed))
    write(
        out / "compressed-int4-act-order",
        torch.bfloat16,
        256,
        *compressed("pack-quantized", symmetric=False, actorder="group", **packed),
    )
    channel = dict(num_bits=8, strategy="channel")
    write(out / "compressed-int8", torch.bfloat16, 128, *compressed("int-quantized", symmetric=True, type="int", **channel))
    write(out / "compressed-fp8", torch.bfloat16, 128, *compressed("float-quantized", symmetric=True, type="float", **channel))
    write(out / "fp8-blocks", torch.bfloat16, 256, FP8_CONFIG | {"weight_block_size": [128, 128]}, fp8_blocks, layers=1)
    write(out / "fp8-tensor", torch.bfloat16, 128, FP8_CONFIG | {"activation_scheme": "static"}, fp8_tensor)
    write_mxfp4(out / "mxfp4-experts")


# --- checkpoints ----------------------------------------------------------------------


def write(path, dtype, intermediate, quantization, quantize, layers=2, shards=1):
    """`quantize(module, weight)` gives the tensors of a linear layer, and what they mean in f32."""
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=128,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        hidden_act="silu",
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    model = random_model(config, dtype, seed=7)
    tensors, meant = {}, {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        module = name.removesuffix(".weight")
        if module.endswith("_proj"):
            made, meant[name] = quantize(module, tensor.float())
            tensors |= {f"{module}.{part}": value.contiguous() for part, value in made.items()}
        else:
            tensors[name], meant[name] = tensor, tensor.float()
    fresh(path)
    write_config(path, config, dtype, transformers_4=False)
    add_to_config(path / "config.json", quantization)
    write_shards(path, tensors, shards)
    logits = reference(config, meant)
    save_file({"logits": logits}, path / "golden.safetensors")
    write_json(path / "golden.json", {"about": "float32 on the CPU", "ids": ids()})
    size = sum(file.stat().st_size for file in path.iterdir())
    print(f"{path.name}: {size} bytes, logit spread {logits.std():.2f}")


def reference(config, meant):
    model = LlamaForCausalLM(config).eval()
    model.load_state_dict(meant | {"lm_head.weight": meant["model.embed_tokens.weight"]})
    model.set_attn_implementation("eager")
    return model(torch.tensor([ids()])).logits[0].contiguous()


def ids():
    return np.random.default_rng(3).integers(0, VOCAB, TOKENS).tolist()


def fresh(path):
    path.mkdir(parents=True, exist_ok=True)
    for old in path.iterdir():
        old.unlink()


def add_to_config(path, quantization):
    config = json.loads(path.read_text())
    write_json(path, config | {"quantization_config": quantization})


def write_shards(path, tensors, shards):
    if shards == 1:
        save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
        return
    # In turn, so that what belongs together is apart.
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = {name: tensors[name] for name in list(tensors)[i::shards]}
        save_file(part, path / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    write_json(path / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})


# --- integers in groups of inputs -----------------------------------------------------


def grouped(weight, bits, group, sym, g_idx):
    """Codes `[n, k]`, zero points and scales `[n, groups]` of the groups that `g_idx` lists."""
    weight = weight.double().numpy()
    most = 2**bits - 1
    codes = np.empty(weight.shape, np.int64)
    num_groups = weight.shape[1] // group
    zeros, scales = np.empty((len(weight), num_groups), np.int64), np.empty((len(weight), num_groups))
    for i in range(num_groups):
        part = weight[:, g_idx == i]
        low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
        if sym:
            high = np.maximum(high, -low)
            low = -high
        scales[:, i] = ((high - low) / most).astype(np.float16).astype(np.float64)
        zeros[:, i] = (most + 1) // 2 if sym else np.clip(np.round(-low / scales[:, i]), 0, most)
        steps = np.round(part / scales[:, i : i + 1]) + zeros[:, i : i + 1]
        codes[:, g_idx == i] = np.clip(steps, 0, most)
    return codes, zeros, scales


def meant_by(codes, zeros, scales, g_idx):
    return torch.tensor(((codes - zeros[:, g_idx]) * scales[:, g_idx]).astype(np.float32))


def words(integers, bits, order=None):
    """Integers `[rows, columns]` in words along the columns, the first one lowest."""
    per_word = 32 // bits
    integers = integers.reshape(len(integers), -1, per_word).astype(np.uint64)
    packed = np.zeros(integers.shape[:2], np.uint64)
    for place, i in enumerate(order or range(per_word)):
        packed |= integers[:, :, i] << np.uint64(place * bits)
    return torch.tensor(packed.astype(np.uint32).view(np.int32))


def some_order(module, k, group):
    """The group of each input as an order by activations leaves it: mixed, of equal sizes."""
    rng = np.random.default_rng(sum(module.encode()))
    return rng.permutation(np.arange(k) // group)


# --- GPTQ and AWQ ---------------------------------------------------------------------


def gptq_config(desc_act, sym, bits=4, checkpoint_format="gptq"):
    return {
        "quant_method": "gptq",
        "bits": bits,
        "group_size": 64,
        "desc_act": desc_act,
        "sym": sym,
        "checkpoint_format": checkpoint_format,
        "lm_head": False,
        "damp_percent": 0.01,
        "true_sequential": True,
    }


def gptq(order, sym, bits=4, version=1):
    def quantize(module, weight):
        n, k = weight.shape
        g_idx = some_order(module, k, 64) if order else np.arange(k) // 64
        codes, zeros, scales = grouped(weight, bits, 64, sym, g_idx)
        # The first version stores zero points less one.
        stored = (zeros - (version == 1)) % 2**bits
        tensors = {
            "qweight": words(codes, bits).T,
            "qzeros": words(stored.T, bits),
            "scales": torch.tensor(scales.T.astype(np.float16)),
            "g_idx": torch.tensor(g_idx.astype(np.int32)),
        }
        # What AutoGPTQ wrote for layers without a bias.
        if module.endswith("o_proj"):
            tensors["bias"] = torch.zeros(n, dtype=torch.float16)
        return tensors, meant_by(codes, zeros, scales, g_idx)

    return quantize


AWQ_CONFIG = {
    "quant_method": "awq",
    "bits": 4,
    "group_size": 64,
    "zero_point": True,
    "version": "gemm",
    "modules_to_not_convert": None,
}


def awq(module, weight):
    g_idx = np.arange(weight.shape[1]) // 64
    codes, zeros, scales = grouped(weight, 4, 64, False, g_idx)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    tensors = {
        "qweight": words(codes.T, 4, order),
        "qzeros": words(zeros.T, 4, order),
        "scales": torch.tensor(scales.T.astype(np.float16)),
    }
    return tensors, meant_by(codes, zeros, scales, g_idx)


# --- compressed-tensors ---------------------------------------------------------------


def compressed(format, **args):
    """The configuration, and a quantiser that is the library's own."""
    args = QuantizationArgs(**args)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    compressor = BaseCompressor.get_value_from_registry(format)
    config = {
        "quant_method": "compressed-tensors",
        "format": format,
        "quantization_status": "compressed",
        "ignore": ["lm_head"],
        "kv_cache_scheme": None,
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": args.model_dump(mode="json"),
                "input_activations": None,
                "output_activations": None,
            }
        },
    }

    def quantize(module, weight):
        k = weight.shape[1]
        group = args.group_size if args.group_size and args.group_size > 0 else k
        g_idx = some_order(module, k, group) if args.actorder else np.arange(k) // group
        state = {"weight": weight.clone()}
        if args.type == "float":
            scale = (weight.abs().amax(1, keepdim=True) / 448).bfloat16()
        else:
            codes, zeros, scale = grouped(weight, args.num_bits, group, args.symmetric, g_idx)
            scale = torch.tensor(scale).bfloat16()
            if not args.symmetric:
                state["weight_zero_point"] = torch.tensor(zeros - 2 ** (args.num_bits - 1)).to(torch.int8)
        state["weight_scale"] = scale.float()
        if args.actorder:
            state["weight_g_idx"] = torch.tensor(g_idx.astype(np.int32))
        made = compressor.compress(dict(state), scheme)
        theirs = compressor.decompress(dict(made), scheme)["weight"]
        meant = compressed_meaning(made, args, weight.shape, g_idx)
        assert torch.equal(theirs.float(), meant), module
        made["weight_scale"] = scale
        return made, meant

    return config, quantize


def compressed_meaning(made, args, shape, g_idx):
    n, k = shape
    scale = made["weight_scale"].double().numpy()
    if args.type == "float":
        return (made["weight"].double() * torch.tensor(scale)).float()
    if "weight_packed" in made:
        codes = unpacked(made["weight_packed"], args.num_bits, k)
        zeros = np.zeros_like(scale)
        if "weight_zero_point" in made:
            zeros = unpacked(made["weight_zero_point"].T, args.num_bits, n).T
    else:
        codes, zeros = made["weight"].numpy().astype(np.int64), np.zeros_like(scale)
    return meant_by(codes, zeros, scale, g_idx)


def unpacked(packed, bits, columns):
    packed = np.ascontiguousarray(packed.numpy()).view(np.uint32).astype(np.int64)
    integers = [packed >> (bits * place) & (2**bits - 1) for place in range(32 // bits)]
    return np.stack(integers, -1).reshape(len(packed), -1)[:, :columns] - 2 ** (bits - 1)


# --- FP8 ------------------------------------------------------------------------------

FP8_CONFIG = {"quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3"}


def fp8_blocks(_module, weight):
    n, k = weight.shape
    rows, columns = -(-n // 128), -(-k // 128)
    scales, codes, meant = torch.empty(rows, columns), torch.empty(n, k).to(torch.float8_e4m3fn), torch.empty(n, k)
    for i in range(rows):
        for j in range(columns):
            block = (slice(128 * i, 128 * (i + 1)), slice(128 * j, 128 * (j + 1)))
            scales[i, j] = weight[block].abs().max() / 448
            codes[block] = (weight[block] / scales[i, j]).to(torch.float8_e4m3fn)
            meant[block] = codes[block].float() * scales[i, j]
    theirs = Fp8Dequantize(None)._dequantize_one(codes, scales, output_dtype=torch.float32)
    assert torch.equal(theirs, meant)
    return {"weight": codes, "weight_scale_inv": scales}, meant


def fp8_tensor(_module, weight):
    scale = weight.abs().max() / 448
    codes = (weight / scale).to(torch.float8_e4m3fn)
    tensors = {"weight": codes, "weight_scale": scale.reshape(1), "input_scale": torch.tensor([0.5])}
    return tensors, codes.float() * scale


# --- MXFP4 ----------------------------------------------------------------------------


def write_mxfp4(path):
    """Experts as gpt-oss has them, alone; golden.safetensors holds `[e, k, n]`."""
    rng = np.random.default_rng(11)
    e, n, k = 2, 6, 96
    blocks = torch.tensor(rng.integers(0, 256, (e, n, k // 32, 16), dtype=np.uint8))
    scales = torch.tensor(rng.integers(90, 160, (e, n, k // 32), dtype=np.uint8))
    # The least power of two, whose products are subnormal, and one whose products overflow.
    scales[0, 0, 0], scales[1, 5, 2] = 0, 254
    fresh(path)
    write_json(path / "config.json", {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}})
    name = "model.layers.0.mlp.experts.gate_up_proj"
    save_file({f"{name}_blocks": blocks, f"{name}_scales": scales}, path / "model.safetensors")
    golden = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    assert golden.shape == (e, k, n)
    save_file({"weights": golden.contiguous()}, path / "golden.safetensors")
    print(f"{path.name}: {sum(file.stat().st_size for file in path.iterdir())} bytes")


if __name__ == "__main__":
    main()
