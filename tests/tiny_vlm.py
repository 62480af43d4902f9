"""A tiny vision-language model with random weights, in the layout of a released Qwen2.5-VL checkpoint."""

from pathlib import Path

import torch
from tokenizers import pre_tokenizers

from robo_reward.perception.torchvision_ops import declare_torchvision_ops

SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
WORDS = ["yes", "no", "Yes", "No", "Ġyes", "Ġno"]  # Ġ is a space to a byte-level tokeniser
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_tiny_vlm(folder: Path, *, seed: int = 0) -> Path:
    """Save processor and model as `save_pretrained` does; nothing is downloaded."""
    declare_torchvision_ops()
    import transformers

    tokeniser = _tokeniser(transformers)
    processor = transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(
            patch_size=4, merge_size=2, temporal_patch_size=2, min_pixels=64, max_pixels=1024
        ),
        tokenizer=tokeniser,
        video_processor=transformers.Qwen2VLVideoProcessor(patch_size=4),
        chat_template=CHAT_TEMPLATE,
    )
    ids = {token: tokeniser.convert_tokens_to_ids(token) for token in SPECIAL}
    config = transformers.Qwen2_5_VLConfig(
        text_config=_words(len(tokeniser), ids),
        vision_config=_eyes(),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.Qwen2_5_VLForConditionalGeneration(config)
        for weight in model.parameters():  # larger than a fresh model's: its replies depend on what it sees
            weight.data.mul_(6 if weight.ndim > 1 else 1)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _tokeniser(transformers):
    vocabulary = {byte: number for number, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = []
    for word in WORDS:
        for end in range(1, len(word)):
            if (word[:end], word[end]) not in merges:
                merges.append((word[:end], word[end]))
            vocabulary.setdefault(word[: end + 1], len(vocabulary))
    tokeniser = transformers.Qwen2Tokenizer(vocab=vocabulary, merges=merges)
    tokeniser.add_special_tokens({"extra_special_tokens": SPECIAL})
    tokeniser.pad_token, tokeniser.eos_token = "<|endoftext|>", "<|im_end|>"
    return tokeniser


def _words(vocabulary: int, ids: dict[str, int]) -> dict:
    return {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
        "max_position_embeddings": 4096,
        "bos_token_id": ids["<|im_start|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
    }


def _eyes() -> dict:
    return {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 32,
        "patch_size": 4,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 16,
        "fullatt_block_indexes": [1],
    }
