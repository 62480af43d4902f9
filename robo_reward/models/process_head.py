"""The network behind trained process rewards: an ensemble of small transformers over all cameras of a frame."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn import functional

NUM_BINS = 64
"""Bins of progress over which a frame's place in the task is distributed."""
HEADS = 4
ATTENTION = 0.3
"""Weight of what the answer takes from attention beside the mean of its cameras: small, for few demonstrations."""
ROLES = 3
"""A frame, the reference start, the reference goal."""


class ProcessHead(nn.Module):
    """Tells how far along the task a set of pictures is, given pictures of its start and its goal.

    Each camera's compressed picture is a token, in each role: the frame that is asked about, the start, the goal. The
    mean over the frame's cameras attends to all of them, and to the task's text where there is one. Cameras that gave
    nothing are masked. The members share nothing but the arithmetic.

    The published model compares pairs of frames directly. Here a hop follows from the two frames' distributions:
    one pass per frame instead of one per pair, hops that agree with each other, and much less to learn from one
    demonstration.

    Args:
        num_cameras: Number of cameras.
        num_components: Length of a compressed embedding.
        text_dim: Length of the task's text embedding; 0 = no text.
        members: Size of the ensemble.
        width: Length of a token, a multiple of 16.
        generator: Of the first weights.
    """

    def __init__(
        self,
        *,
        num_cameras: int,
        num_components: int,
        text_dim: int,
        members: int,
        width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()

        def random(*shape: int, fan_in: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(members, *shape, generator=generator) / math.sqrt(fan_in))

        self.project = random(ROLES, num_cameras, num_components, width, fan_in=num_components)
        self.camera = nn.Parameter(torch.zeros(members, ROLES, num_cameras, width))
        self.role = random(ROLES, 1, width, fan_in=width)
        self.text = random(max(text_dim, 1), width, fan_in=max(text_dim, 1))
        self.query = random(width, width, fan_in=width)
        self.key = random(width, width, fan_in=width)
        self.value = random(width, width, fan_in=width)
        self.out = random(width, width, fan_in=width)
        self.deepen = random(width, width, fan_in=width)
        self.logits = random(width, NUM_BINS, fan_in=10_000 * width)
        self.bias = nn.Parameter(torch.zeros(members, 1, NUM_BINS))

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> "ProcessHead":
        """Rebuild a head exactly from its state dict."""
        members, _, cameras, components, width = weights["project"].shape
        head = cls(
            num_cameras=cameras,
            num_components=components,
            text_dim=weights["text"].shape[1],
            members=members,
            width=width,
            generator=torch.Generator(),
        )
        head.load_state_dict(weights)
        return head

    def forward(
        self,
        pictures: Float32[Tensor, "member batch view component"],
        seen: Float32[Tensor, "member batch view"],
        references: Float32[Tensor, "role view component"],
        text: Float32[Tensor, " dim"] | None,
    ) -> Float32[Tensor, "member batch bin"]:
        """Give each member's logits over bins of progress.

        Args:
            pictures: Compressed embeddings; any finite number where a camera gave nothing.
            seen: 1 where a camera gave a picture, else 0; at least one camera in each row.
            references: Compressed pictures of start and goal.
            text: Embedding of the instruction.
        """
        members, batch = seen.shape[:2]
        tokens = torch.einsum("mbvc,mvcw->mbvw", pictures * seen[..., None], self.project[:, 0])
        tokens = functional.gelu(tokens + self.camera[:, None, 0]) * seen[..., None]
        pooled = tokens.sum(dim=2) / seen.sum(dim=2, keepdim=True)
        context = [(self._reference_tokens(references), True), (self._text_token(text), False)]
        known = [seen]
        around = [tokens + self.role[:, None, 0]]
        for extra, of_cameras in context:
            if extra is not None:
                around.append(extra[:, None].expand(members, batch, *extra.shape[1:]))
                known.append(seen.repeat(1, 1, 2) if of_cameras else torch.ones(members, batch, extra.shape[1]))
        answer = pooled + ATTENTION * self._attend(pooled, torch.cat(around, dim=2), torch.cat(known, dim=2) > 0)
        answer = answer + functional.gelu(torch.bmm(answer, self.deepen))
        return torch.bmm(answer, self.logits) + self.bias

    def _reference_tokens(self, references: Tensor) -> Tensor:
        tokens = torch.einsum("rvc,mrvcw->mrvw", references, self.project[:, 1:])
        return (functional.gelu(tokens + self.camera[:, 1:]) + self.role[:, 1:]).flatten(1, 2)

    def _text_token(self, text: Tensor | None) -> Tensor | None:
        return None if text is None else torch.einsum("d,mdw->mw", text, self.text)[:, None]

    def _attend(self, asking: Tensor, tokens: Tensor, known: Tensor) -> Tensor:
        members, batch, _, width = tokens.shape
        flat = functional.layer_norm(tokens, (width,)).flatten(1, 2)
        split = (members, batch, -1, HEADS, width // HEADS)
        query = torch.bmm(functional.layer_norm(asking, (width,)), self.query).reshape(split)
        key, value = torch.bmm(flat, self.key).reshape(split), torch.bmm(flat, self.value).reshape(split)
        score = (query * key).sum(dim=-1, keepdim=True) / math.sqrt(width // HEADS)
        weight = score.masked_fill(~known[..., None, None], float("-inf")).softmax(dim=2)
        return torch.bmm((weight * value).sum(dim=2).reshape(members, batch, width), self.out)
