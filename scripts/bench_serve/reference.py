"""Whether a server says what the model says. A figure counts only for servers that do.

Every server is led along the greedy tokens of a reference in float32: it is asked to go on after
the prompt; where it first says something else, that is noted, and it is asked again after the
reference's token. So each position is compared under the same text, and one near tie does not
spoil all that follows it."""

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass

from .models import Weights
from .places import ROOT, Failed
from .plan import GUICHET, LLAMA_CPP, VLLM, Cell, Model
from .servers import MODEL_ID, Server, Servers, free_port
from .traffic import prompt
from .vocabulary import Vocabulary

# What transformers says, in float32; `make fixtures` makes it.
FIXTURE = ROOT / "tests" / "fixtures" / "smollm2-greedy.json"
# English, French, German and a chat.
FIXTURE_PROMPTS = (1, 2, 4, 7)
TOKENS = 32
EOS = 2
# The least part of positions that agree; what is not listed is reported only.
LEAST_AGREEMENT = {"bf16": 0.90, "int8": 0.80}
TIMEOUT_S = 300

Ask = Callable[[list[int], int], list[int]]


@dataclass(frozen=True)
class Continuation:
    prompt: list[int]
    tokens: list[int]
    # At each position the log-probabilities of the best tokens.
    top: list[dict[int, float]]


class References:
    def __init__(self, servers: Servers):
        self.servers = servers
        self._known: dict[str, list[Continuation]] = {}

    def of(self, model: Model, weights: Weights) -> list[Continuation]:
        if model.name not in self._known:
            self._known[model.name] = self._ask_guichet(weights) if model.is_random else from_fixture()
        return self._known[model.name]

    def _ask_guichet(self, weights: Weights) -> list[Continuation]:
        """Nobody has published what random weights say: Guichet's own float32 stands in."""
        port = free_port()
        vocabulary = Vocabulary(weights.directory / "tokenizer.json")
        with self.servers.running(self.servers.reference(weights, port), port):
            found = []
            for index in range(len(FIXTURE_PROMPTS)):
                ids = prompt(f"reference {index}", 24)
                said = _completion(port, ids, TOKENS, logprobs=5)["logprobs"]
                tokens = [vocabulary.id(token) for token in said["tokens"]]
                top = [{vocabulary.id(t): p for t, p in best.items()} for best in said["top_logprobs"]]
                found.append(Continuation(ids, tokens, top))
            return found


def from_fixture() -> list[Continuation]:
    prompts = json.loads(FIXTURE.read_text())["prompts"]
    found = []
    for stored in (prompts[index] for index in FIXTURE_PROMPTS):
        tokens = stored["greedy"]["ids"][:TOKENS]
        # Servers differ in what they do after the end of a text.
        tokens = tokens[: tokens.index(EOS)] if EOS in tokens else tokens
        top = [{id_: logprob for id_, logprob in best} for best in stored["greedy"]["top"][: len(tokens)]]
        found.append(Continuation(stored["ids"], tokens, top))
    return found


def check(server: Server, cell: Cell, weights: Weights, references: list[Continuation]) -> dict:
    """How far a server agrees, and whether that is enough."""
    ask = asking(server, weights)
    rounds = 1 if cell.model.is_random else TOKENS
    followed = [follow(ask, reference, rounds) for reference in references]
    positions = sum(len(reference.tokens) for reference in references)
    agreement = sum(found["agreed"] for found in followed) / positions
    return {
        "verdict": verdict(cell, agreement),
        "agreement": agreement,
        "leading": [found["leading"] for found in followed],
        "gaps": [gap for found in followed for gap in found["gaps"]],
    }


def verdict(cell: Cell, agreement: float) -> str:
    least = LEAST_AGREEMENT.get(cell.precision.name)
    if cell.model.is_random or least is None:
        return "reported"
    return "agrees" if agreement >= least else "differs"


def follow(ask: Ask, reference: Continuation, most_asked: int) -> dict:
    """Leads a server along a reference. `gaps` says by how much the reference preferred its own
    token to the one that was said: a near tie has a small one, none means that the token is not
    among its best."""
    agreed, leading, gaps, position = 0, None, [], 0
    for _ in range(most_asked):
        expected = reference.tokens[position:]
        said = ask(reference.prompt + reference.tokens[:position], len(expected))
        equal = num_equal(said, expected)
        leading = equal if leading is None else leading
        agreed += equal
        position += equal
        if position == len(reference.tokens):
            break
        best = reference.top[position]
        other = best.get(said[equal]) if equal < len(said) else None
        gaps.append(None if other is None else round(best[reference.tokens[position]] - other, 4))
        position += 1
        if position == len(reference.tokens):
            break
    return {"agreed": agreed, "leading": leading, "gaps": gaps}


def num_equal(said: list[int], expected: list[int]) -> int:
    """How many tokens are equal before the first that is not."""
    for index, (one, other) in enumerate(zip(said, expected)):
        if one != other:
            return index
    return min(len(said), len(expected))


def asking(server: Server, weights: Weights) -> Ask:
    """Each server has its own way of telling token ids."""
    if server.subject == LLAMA_CPP:
        return lambda ids, tokens: _llama_cpp(server.port, ids, tokens)
    if server.subject == VLLM:
        return lambda ids, tokens: _completion(server.port, ids, tokens, return_token_ids=True)["token_ids"]
    assert server.subject == GUICHET
    vocabulary = Vocabulary(weights.directory / "tokenizer.json")

    def guichet(ids: list[int], tokens: int) -> list[int]:
        return [vocabulary.id(token) for token in _completion(server.port, ids, tokens, logprobs=1)["logprobs"]["tokens"]]

    return guichet


def _completion(port: int, ids: list[int], tokens: int, **more) -> dict:
    body = {"model": MODEL_ID, "prompt": ids, "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
    return _post(port, "/v1/completions", body | more)["choices"][0]


def _llama_cpp(port: int, ids: list[int], tokens: int) -> list[int]:
    # Without `ignore_eos`, which forbids llama.cpp the token instead of going on after it.
    body = {"prompt": ids, "n_predict": tokens, "temperature": 0, "return_tokens": True, "cache_prompt": False}
    return _post(port, "/completion", body)["tokens"]


def _post(port: int, path: str, body: dict) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise Failed(f"{path} answered {answer.status}: {content[:300].decode(errors='replace')}")
        return json.loads(content)
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{path}: {error}") from error
    finally:
        connection.close()
