"""Several models' opinions on one frame to one: their mean, the worst of them, or the mean less their doubt."""

from jaxtyping import Float
from torch import Tensor


def ensemble_mean(opinions: Float[Tensor, "member ..."]) -> Float[Tensor, "..."]:
    """Give the mean of the members: one rogue member carries it away.

    Args:
        opinions: One number per member; NaN = a member that abstains, and with it the ensemble.

    Raises:
        ValueError: No member.
    """
    return _checked(opinions).mean(dim=0)


def worst_case(opinions: Float[Tensor, "member ..."]) -> Float[Tensor, "..."]:
    """Give the smallest opinion: no member can be exploited alone.

    Args:
        opinions: One number per member; NaN = a member that abstains, and with it the ensemble.

    Raises:
        ValueError: No member.

    Source:
        Coste et al. 2024 (2310.02743), worst-case optimisation.

    Example:
        >>> import torch
        >>> worst_case(torch.tensor([1.0, 1.0, 1.0, 1.0, 9.0])).item()
        1.0
    """
    return _checked(opinions).amin(dim=0)


def uncertainty_weighted(opinions: Float[Tensor, "member ..."], *, penalty: float) -> Float[Tensor, "..."]:
    """Give the mean less the members' population variance times a penalty.

        mean_i o_i − λ · mean_i (o_i − mean_j o_j)²

    The result may leave the range of the opinions: bound it again before it becomes a potential, never afterwards.

    Args:
        opinions: One number per member; NaN = a member that abstains, and with it the ensemble.
        penalty: λ, in units of 1/opinion, ≥ 0; published: 0.1 for policy optimisation, 0.5 for best-of-n.

    Raises:
        ValueError: No member, or a negative penalty.

    Source:
        Coste et al. 2024 (2310.02743), uncertainty-weighted optimisation.

    Example:
        >>> import torch
        >>> uncertainty_weighted(torch.tensor([1.0, 1.0, 1.0, 1.0, 9.0]), penalty=0.1)
        tensor(1.5760)
    """
    if not penalty >= 0:
        raise ValueError(f"penalty must be >= 0, got {penalty:g}")
    # in double precision: the variance of opinions that nearly agree is a small difference
    exact = _checked(opinions).double()
    return (exact.mean(dim=0) - penalty * exact.var(dim=0, correction=0)).to(opinions.dtype)


def _checked(opinions: Tensor) -> Tensor:
    if opinions.ndim == 0 or len(opinions) == 0:
        raise ValueError(f"an ensemble needs at least one member, got opinions of shape {tuple(opinions.shape)}")
    return opinions
