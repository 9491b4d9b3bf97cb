"""Questions: five in each set, one right answer each, a reason for all; numbers are computed."""

import math
import re

import pytest
import torch

from mezzotint.diffusion import Process
from mezzotint.lab.lessons import LESSONS
from mezzotint.lab.lessons.check.numbers import calls, numbers
from mezzotint.lab.lessons.check.sets import FOLDER, ORDER, _question, sets

SETS = sets()
ALL = [question for each in SETS for question in each.questions]


def test_every_other_lesson_has_a_set():
    others = [(each.slug, each.title) for each in LESSONS if each.slug != "check"]
    assert [(each.slug, each.title) for each in SETS] == others
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(ORDER)


@pytest.mark.parametrize("each", SETS, ids=lambda each: each.slug)
def test_a_set_has_five_questions(each):
    assert len(each.questions) == 5


@pytest.mark.parametrize("question", ALL, ids=lambda question: question.name)
def test_one_answer_is_right_and_all_have_a_reason(question):
    assert sum(answer.right for answer in question.answers) == 1
    assert len(question.answers) == 4
    assert len({answer.says for answer in question.answers}) == 4  # computed ones too
    assert len({answer.why for answer in question.answers}) == 4
    for answer in question.answers:
        assert len(answer.why) > 10
        assert answer.why.endswith((".", ")", "∞."))
        assert "{" not in answer.says + answer.why + question.asks


def test_names_are_the_questions_own():
    assert len({question.name for question in ALL}) == len(ALL) == 55


def test_the_right_answer_has_no_place_of_its_own():
    places = [[answer.right for answer in question.answers].index(True) for question in ALL]
    assert all(places.count(k) >= 5 for k in range(4))
    assert sets() == SETS  # and the order is always the same


def test_every_number_is_asked_for_and_every_one_asked_for_is_there():
    said = "".join(path.read_text() for path in FOLDER.glob("*.toml"))
    assert set(re.findall(r"\{(\w+)\}", said)) == set(numbers())


def test_numbers_are_right():
    """By formulas of their own."""
    betas = [1e-4 + k * (0.02 - 1e-4) / 999 for k in range(500)]
    linear = math.prod(1 - beta for beta in betas)
    f = [math.cos(math.pi / 2 * (t + 0.008) / 1.008) ** 2 for t in (0.5, 0)]
    roots = [0.00085**0.5 + k * (0.012**0.5 - 0.00085**0.5) / 999 for k in range(1000)]
    scaled = math.sqrt(math.prod(1 - root**2 for root in roots))
    assert {
        "linear_half": f"{100 * linear:.0f} %",
        "cosine_half": f"{100 * f[0] / f[1]:.0f} %",
        "flow_half_snr": "1",
        "scaled_last": f"{100 * scaled:.0f} %",
        "heun_20": str(2 * 20 - 1),
        "ddim_50_guided": "100",
        "eps_over_x0": str(0.36 / 0.64),
        "sd1_saved": str(512 * 512 * 3 // (64 * 64 * 4)),
        "sd3_saved": str(1024 * 1024 * 3 // (128 * 128 * 16)),
        "clip_window": "77",
        "sd3_prompt": str(77 + 256),
        "three_clips": str(77 + 77 + 256),
        "guided": "8.5",
        "toy_calls": "20",
        "sd15_weights": "860",
        "clip_l_weights": "123",
        "flux_tokens": f"{(1024 // 16) ** 2:,}",
        "sd1_once": "51",
        "sd1_calls": "102",
        "flux_calls": "28",
        "flux_doubled": "56",
        "an_hour": "5,000",
        "only_step": "120,000",
        "one_hour_first": f"{3600 / 2.05:,.0f}",
    } == numbers()


def test_a_number_follows_what_computes_it(monkeypatch):
    other = Process.scaled_linear()
    monkeypatch.setattr(Process, "linear", staticmethod(lambda: other))
    kept = other.alpha_bar(torch.tensor(499.0)).item()
    assert numbers.__wrapped__()["linear_half"] == f"{100 * kept:.0f} %" != "8 %"
    assert (calls("dpmpp_2m", 7), calls("dpm2", 7)) == (7, 13)


def test_the_server_tells_all(client):
    told = client.get("/api/check").json()["sets"]
    assert [each["slug"] for each in told] == list(ORDER)
    assert told[0]["questions"][0]["asks"] == SETS[0].questions[0].asks


def answer(page, question, right: bool):
    k = [each.right for each in question.answers].index(right)
    page.locator(f'[data-name="{question.name}"] button').nth(k).click()
    return question.answers[k]


def test_the_page_counts_first_answers_and_keeps_them(page, address):
    page.goto(f"{address}/lessons/check#guidance")
    first, second, *_ = next(each for each in SETS if each.slug == "guidance").questions
    page.locator("#guidance[open]").wait_for()
    why = page.locator(f'[data-name="{first.name}"] .why')
    assert why.inner_text() == ""
    wrong = answer(page, first, right=False)
    assert why.inner_text() == f"No. {wrong.why}"
    true = answer(page, first, right=True)
    assert why.inner_text() == f"Right. {true.why}"
    answer(page, second, right=True)
    assert page.inner_text("#score") == "1 right of 2 answered; there are 55 questions."
    page.reload()
    page.locator("#guidance[open]").wait_for()
    assert page.inner_text("#score") == "1 right of 2 answered; there are 55 questions."
    assert page.locator("#guidance .points").inner_text() == "1 of 5, so far"
    page.click("#clear")
    assert page.inner_text("#score") == "Nothing answered yet; there are 55 questions."


def test_the_page_goes_by_keyboard(page, address):
    page.goto(f"{address}/lessons/check")
    page.locator("#dissolve[open]").wait_for()
    question = SETS[0].questions[0]
    page.locator(f'[data-name="{question.name}"] button').first.focus()
    k = [each.right for each in question.answers].index(True)
    page.keyboard.press(str(k + 1))
    assert page.inner_text("#score").startswith("1 right of 1")
    page.keyboard.press("Tab")
    page.keyboard.press("9")  # there is none
    assert page.inner_text("#score").startswith("1 right of 1")


def test_a_spoilt_score_is_none(page, address):
    page.goto(f"{address}/lessons/check")
    page.evaluate("localStorage.setItem('check', '{nonsense')")
    page.reload()
    page.locator("#dissolve[open]").wait_for()
    assert page.inner_text("#score").startswith("Nothing answered yet")


def test_files_are_read_as_written():
    table = {
        "asks": "?",
        "right": "{guided}",
        "because": "so",
        "wrong": [{"says": "2", "why": "no"}],
    }
    found = _question(table)
    assert {each.says: each.right for each in found.answers} == {"8.5": True, "2": False}
