"""Backend kit: functions and options that backends of language models share. It needs no engine and no network.

::

    options    HubModelOptions, PixelOptions, Device, Precision     options shared by backends
    hub        folder_or_hub_id, hub_file, local_path, hub_downloads names of weights: folder, file or hub
    templates  render_chat, check_chat                              chat templates of models, with bounds
    prompts    chat_messages, full_prompt, check_special_tokens     queries to conversations
    batches    answer_in_groups                                     queries that share their sampling
    seeds      sampling_seed                                        one seed per query
    thinking   ThinkingOptions, ChatThinking, ThinkingGuard         thinking before an answer, off or on
    choices    ChoiceEncoder, answer_logprobs                       allowed answers
    evaluated  EvaluatedTokens                                      tokens that a model evaluated
    digests    fingerprint, folder_digest, sampled_digest           fingerprints of weights and settings
    errors     require_loaded, translate_exceptions, first_line     errors that all backends can raise
"""

from anyanomaly.errors import first_line
from anyanomaly.kit.batches import answer_in_groups
from anyanomaly.kit.chat_templates import check_chat, render_chat
from anyanomaly.kit.choices import WIDER_PRECISION, ChoiceEncoder, answer_logprobs
from anyanomaly.kit.digests import (
    file_digest,
    fingerprint,
    folder_digest,
    model_identity,
    release,
    sampled_digest,
    weights_digest,
)
from anyanomaly.kit.errors import download_error, own_code_error, require_loaded, translate_exceptions
from anyanomaly.kit.evaluated import EvaluatedTokens
from anyanomaly.kit.hub import (
    EXAMPLE,
    HubFile,
    folder_or_hub_id,
    hub_downloads,
    hub_file,
    is_hub_id,
    local_path,
    require_model,
)
from anyanomaly.kit.options import (
    MODEL,
    Device,
    HubModelOptions,
    PixelOptions,
    Precision,
    limit_gemma_tokens,
    no_area_error,
)
from anyanomaly.kit.prompts import chat_messages, check_special_tokens, full_prompt, text_part
from anyanomaly.kit.seeds import sampling_seed
from anyanomaly.kit.thinking import (
    ChatThinking,
    Switches,
    Thinking,
    ThinkingGuard,
    ThinkingOptions,
    check_scoring,
    starts_with_thinking,
    thinks_in_special_tokens,
)

__all__ = [
    "EXAMPLE",
    "MODEL",
    "WIDER_PRECISION",
    "ChatThinking",
    "ChoiceEncoder",
    "Device",
    "EvaluatedTokens",
    "HubFile",
    "HubModelOptions",
    "PixelOptions",
    "Precision",
    "Switches",
    "Thinking",
    "ThinkingGuard",
    "ThinkingOptions",
    "answer_in_groups",
    "answer_logprobs",
    "chat_messages",
    "check_chat",
    "check_scoring",
    "check_special_tokens",
    "download_error",
    "file_digest",
    "fingerprint",
    "first_line",
    "folder_digest",
    "folder_or_hub_id",
    "full_prompt",
    "hub_downloads",
    "hub_file",
    "is_hub_id",
    "limit_gemma_tokens",
    "local_path",
    "model_identity",
    "no_area_error",
    "own_code_error",
    "release",
    "render_chat",
    "require_loaded",
    "require_model",
    "sampled_digest",
    "sampling_seed",
    "starts_with_thinking",
    "text_part",
    "thinks_in_special_tokens",
    "translate_exceptions",
    "weights_digest",
]
