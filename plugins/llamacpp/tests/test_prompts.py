"""What the model reads: the chat template's text. And what the machine offers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from anyanomaly_llamacpp.images import IMAGE
from anyanomaly_llamacpp.machine import free_memory, usable_cores
from anyanomaly_llamacpp.prompts import Chat

from anyanomaly.errors import UsageError
from anyanomaly.types import Query

Ask = Callable[..., Query]
QWEN = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{%- for part in m.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN = "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}[end]{% endfor %}[assistant]"  # as in Llama 3
ADDED = "{% for m in messages %}{{ '[' + m.role + ']' + m.content + '[end]' }}{% endfor %}[assistant]"  # as in Qwen2


def chat(template: str, *tokens: str, **more: object) -> Chat:
    kinds = [3 if token.startswith("<") else 1 for token in tokens]
    header = {
        "tokenizer.chat_template": template,
        "tokenizer.ggml.tokens": list(tokens),
        "tokenizer.ggml.token_type": kinds,
    }
    return Chat(header | {f"tokenizer.ggml.{name}": value for name, value in more.items()}, "model")


def test_the_image_placeholder_of_a_template_is_replaced(ask: Ask) -> None:
    query = ask(0, n_images=2, system="Judge.", prompt="Is it there?")
    image_first = chat(QWEN).render(query)
    assert image_first.endswith(f"{IMAGE}{IMAGE}Is it there?<|im_end|>\n<|im_start|>assistant\n")
    assert "Judge.<|im_end|>" in image_first
    assert f"Is it there?{IMAGE}<|im_end|>" in chat(QWEN).render(ask(0, text_first=True, prompt="Is it there?"))


@pytest.mark.parametrize(
    "placeholder",
    [
        "<|begin_of_image|><|image|><|end_of_image|>",  # GLM-V
        "<IMG_CONTEXT>",  # InternVL
        "<|image_pad|>",  # MiniCPM-V 4.6
        "<|image|>",  # Gemma 4
        "<image>",  # SmolVLM, LFM2-VL
    ],
)
def test_the_placeholder_of_each_family_is_replaced(ask: Ask, placeholder: str) -> None:
    template = QWEN.replace("<|vision_start|><|image_pad|><|vision_end|>", placeholder)
    text = chat(template).render(ask(0, n_images=2, prompt="Is it there?"))
    assert text.startswith(f"<|im_start|>user{IMAGE}{IMAGE}Is it there?")


def test_a_model_whose_layout_numbers_images_gets_no_second_number(ask: Ask) -> None:
    header = {
        "tokenizer.chat_template": PLAIN,
        "tokenizer.ggml.tokens": ["<image_id>"],
        "general.architecture": "qwen35",
    }
    assert Chat(header, "model").render(ask(0, prompt="Look.")) == f"[user]{IMAGE}\nLook.[end][assistant]"


@pytest.mark.parametrize("template", [PLAIN, ADDED])
def test_a_text_only_template_gets_images_on_separate_lines(ask: Ask, template: str) -> None:
    query = ask(0, system="Judge.", prompt="Is it there?")
    assert chat(template).render(query) == f"[system]Judge.[end][user]{IMAGE}\nIs it there?[end][assistant]"
    numbered = chat(template, "<image_id>").render(ask(0, n_images=2, prompt="Look."))  # MiniCPM-V 2.6
    assert numbered == (f"[user]<image_id>0</image_id>{IMAGE}\n<image_id>1</image_id>{IMAGE}\nLook.[end][assistant]")
    assert chat(template).render(ask(0, n_images=0, prompt="Look.")) == "[user]Look.[end][assistant]"


def test_a_template_without_a_system_turn_gets_the_system_text_before_the_question(ask: Ask) -> None:
    refuse = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    assert f"{IMAGE}Judge.\nIs it there?" in chat(refuse + QWEN).render(ask(0, system="Judge.", prompt="Is it there?"))


def test_the_begin_of_sequence_token_is_written_once(ask: Ask) -> None:
    begins = {"bos_token_id": 0, "add_bos_token": True}
    query = ask(0, prompt="Look.")
    assert chat(PLAIN, "<s>", **begins).render(query).startswith("<s>[user]")
    assert chat("{{ bos_token }}" + PLAIN, "<s>", **begins).render(query).startswith("<s>[user]")


def test_templates_and_questions_that_cannot_be_used_are_refused(ask: Ask) -> None:
    with pytest.raises(UsageError, match="no chat template"):
        chat("")
    with pytest.raises(UsageError, match="cannot be read"):
        chat("{% for %}").render(ask(0))
    with pytest.raises(UsageError, match="'<end>', which is a special token of this model"):
        chat(PLAIN, "<end>").render(ask(0, prompt="an <end> of it"))
    with pytest.raises(UsageError, match="does not take a question with images"):
        chat("{{ messages[0].role }}").render(ask(0))


def test_threads_are_cores_within_the_cpu_limit_of_the_container(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1, 2, 3, 4, 5}, raising=False)
    assert usable_cores(tmp_path) == 6
    for number in range(6):  # two threads a core
        folder = tmp_path / f"devices/system/cpu/cpu{number}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number % 3},{number % 3 + 3}\n")
    assert usable_cores(tmp_path) == 3
    (tmp_path / "fs/cgroup").mkdir(parents=True)
    (tmp_path / "fs/cgroup/cpu.max").write_text("150000 100000\n")
    assert usable_cores(tmp_path) == 2
    (tmp_path / "fs/cgroup/cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == 3


def test_free_memory_is_read_from_procfs(tmp_path) -> None:
    assert free_memory(tmp_path) == float("inf")
    (tmp_path / "meminfo").write_text("MemTotal:       24684676 kB\nMemAvailable:   11000000 kB\n")
    assert free_memory(tmp_path) == 11000000 * 1024
