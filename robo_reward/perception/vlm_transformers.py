"""Vision-language models that run here, by way of `transformers`. The one file that imports it."""

import importlib.util
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, final

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from robo_reward.errors import EncoderError
from robo_reward.perception.device import require_bfloat16, resolve_device
from robo_reward.perception.torchvision_ops import declare_torchvision_ops
from robo_reward.perception.vlm import (
    NoReply,
    Question,
    Reply,
    VisionLanguageModel,
    check_choices,
    no_probabilities,
    normalised,
)

_SAMPLED = 256  # numbers of each weight tensor that its fingerprint is made of


@final
class TransformersVlm:
    """Asks an image-text-to-text model of `transformers` in this process; always its likeliest token.

    With `batch_size` 1 a question has the same reply and the same bits whatever else is asked. In larger batches
    shorter questions are padded and matrix products change their order of sums: probabilities then agree to rounding
    only, and a reply may differ where two tokens are as good as equally likely.

    Args:
        model: Folder of a checkpoint, or ORG/NAME of one that is downloaded.
        device: "cpu", "cuda", "cuda:1" …, or "auto": CUDA where there is a CUDA device, else the CPU.
        precision: Of weights and matrix products.
        max_tokens: Longest reply [token]; a longer one counts as none.
        batch_size: Questions in one forward pass.
        revision: Branch, tag or commit of a downloaded checkpoint; None = its main branch.
        processor: Settings of the checkpoint's processor to replace; with Qwen2.5-VL {size: {shortest_edge: 12544,
            longest_edge: 76800}} is the least and most pixels of a picture.

    Raises:
        EncoderError: `transformers` is missing, the checkpoint or device is not to be had, or the model has no chat
            template.
        ValueError: A size below 1.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str,
        precision: Literal["float32", "bfloat16"],
        max_tokens: int,
        batch_size: int,
        revision: str | None = None,
        processor: Mapping[str, Any] | None = None,
    ) -> None:
        if max_tokens < 1 or batch_size < 1:
            raise ValueError(f"max_tokens and batch_size must be >= 1, got {max_tokens} and {batch_size}")
        self._device = resolve_device(device)
        if precision == "bfloat16":
            require_bfloat16(self._device)
        self._model, self._processor = _loaded(model, revision, precision, processor or {})
        self._model.to(self._device)
        self._max_tokens, self._batch_size = max_tokens, batch_size
        self._settings = {
            "weights": _fingerprint(self._model),
            "processor": _processing(self._processor),
            "libraries": [torch.__version__, _transformers().__version__],
            "precision": precision,
            "max_tokens": max_tokens,
            "device": self._device.type,
            "batch_size": batch_size,
        }
        self._name = model
        self._ids: dict[str, list[int]] = {}
        self.no_replies: Counter[str] = Counter()

    @property
    def version(self) -> str:
        """Model, hashes of its weights and processing, and the settings that a reply's bits depend on."""
        return f"transformers {self._name} {json.dumps(self._settings, sort_keys=True)}"

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Give each question's reply, in the order of the questions."""
        replies: list[Reply] = []
        for inputs in self._batches(questions):
            with torch.inference_mode():
                tokens = self._model.generate(**inputs, generation_config=self._generation())
            replies += [self._reply(row) for row in tokens[:, inputs["input_ids"].shape[1] :].cpu()]
        self.no_replies.update(reply.reason for reply in replies if isinstance(reply, NoReply))
        return replies

    def choose(self, questions: Sequence[Question], choices: Sequence[str]) -> Float64[Tensor, "question choice"]:
        """Give the probability that a reply begins with each choice, from the logits of the next token.

        Raises:
            ValueError: No choice, an empty one, two that are the same word, or one that is no single token here.
        """
        words = check_choices(choices)
        ids = [self._token_ids(word) for word in words]
        rows = [no_probabilities(0, len(words))]
        for inputs in self._batches(questions):
            with torch.inference_mode():
                logits = self._model(**inputs, logits_to_keep=1).logits[:, -1].double().cpu()
            probability = logits.softmax(dim=-1)
            rows.append(torch.stack([probability[:, each].sum(dim=-1) for each in ids], dim=-1))
        found = torch.cat(rows)
        unknown = ~torch.isfinite(found).all(dim=-1)
        if bool(unknown.any()):
            self.no_replies["the logits are not finite"] += int(unknown.sum())
            found[unknown] = float("nan")
        return found.clamp(max=1.0)  # sums of probabilities round

    def _batches(self, questions: Sequence[Question]) -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(questions), self._batch_size):
            batch = questions[start : start + self._batch_size]
            text = [
                self._processor.apply_chat_template(_messages(each), add_generation_prompt=True, tokenize=False)
                for each in batch
            ]
            images = [[part.cpu() for part in each.pictures] for each in batch]
            inputs = self._processor(
                text=text, images=images if any(images) else None, padding=True, return_tensors="pt"
            )
            yield inputs.to(self._device)

    def _generation(self) -> Any:
        """Greedy, whatever sampling the checkpoint recommends; only its special tokens are kept."""
        own = self._model.generation_config
        tokens = {name: getattr(own, name, None) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        return _transformers().GenerationConfig(max_new_tokens=self._max_tokens, do_sample=False, **tokens)

    def _reply(self, tokens: Tensor) -> Reply:
        eos = self._model.generation_config.eos_token_id
        if not set(eos if isinstance(eos, list) else [eos]) & set(tokens.tolist()):
            return NoReply(reason="the reply was cut at max_tokens")
        text = self._processor.decode(tokens, skip_special_tokens=True)
        return text if text.strip() else NoReply(reason="the reply holds no text")

    def _token_ids(self, word: str) -> list[int]:
        """Numbers of all tokens that are the word but for white space and case."""
        if not self._ids:
            tokeniser = self._processor.tokenizer
            for number in range(len(tokeniser)):
                self._ids.setdefault(normalised(tokeniser.decode([number])), []).append(number)
        if word not in self._ids:
            raise ValueError(f"choice '{word}' is no single token of {self._name}; choose shorter words")
        return self._ids[word]


def _messages(question: Question) -> list[dict[str, Any]]:
    content = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in question.parts]
    return [{"role": "user", "content": content}]


def _transformers() -> Any:
    if importlib.util.find_spec("transformers") is None:
        raise EncoderError("transformers is not installed; pip install 'robo-reward[vlm]'")
    declare_torchvision_ops()  # transformers imports torchvision, which needs the declarations first
    return importlib.import_module("transformers")


def _loaded(name: str, revision: str | None, precision: str, settings: Mapping[str, Any]) -> tuple[Any, Any]:
    library, dtype = _transformers(), getattr(torch, precision)
    try:
        processor = library.AutoProcessor.from_pretrained(name, revision=revision, **settings)
        model = library.AutoModelForImageTextToText.from_pretrained(
            name,
            revision=revision,
            dtype=dtype,
            use_safetensors=True,  # a pickle may run anything
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise EncoderError(f"vision-language model '{name}' cannot be loaded: {error}") from error
    if not getattr(processor, "chat_template", None):
        raise EncoderError(f"vision-language model '{name}' has no chat template: nobody knows how to ask it")
    processor.tokenizer.padding_side = "left"  # the next token is then the last one of every row
    return model.eval(), processor


def _fingerprint(model: nn.Module) -> str:
    """Hash of some numbers of every weight tensor, evenly spread: tells fine-tunes apart without reading gigabytes."""
    digest = sha256()
    for name, weight in model.state_dict().items():
        flat = weight.detach().reshape(-1)
        spread = flat[:: max(1, flat.numel() // _SAMPLED)].to(torch.float64).cpu()
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\n".encode() + spread.numpy().tobytes())
    return digest.hexdigest()[:16]


def _processing(processor: Any) -> str:
    """Hash of how words are put together and pictures are cut up."""
    pictures = processor.image_processor.to_json_string()
    return sha256(f"{processor.chat_template}\n{pictures}".encode()).hexdigest()[:16]


_: type[VisionLanguageModel] = TransformersVlm  # the type checker holds the protocol
