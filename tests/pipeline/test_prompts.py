"""What people type is read as the tool they typed it for reads it."""

import math
import re
import subprocess
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.pipeline.prompts import DIALECTS, LoRARequest, Span, parse
from mezzotint.pipeline.prompts.schedule import schedule

A1111, COMFYUI = DIALECTS["a1111"], DIALECTS["comfyui"]
few = settings(max_examples=60)

SYNTAX = ["(", ")", "[", "]", ":", "|", "\\", "<", ">", " ", ",", "\n", "1.2", "0.5", "3", "-", "."]
WORDS = ["cat", "BREAK", "AND", "<lora:a:1>", "embedding:b", ":1.2)", ":3]", "nan", "é"]


def spans(text, dialect=A1111, **options):
    """The spans of each chunk, of a prompt with one part and no schedule."""
    (part,) = parse(text, 10, dialect, **options).parts
    (held,) = part.schedule
    return [[(span.text, pytest.approx(span.weight)) for span in chunk] for chunk in held.chunks]


@few
@given(
    text=st.one_of(st.text(), st.lists(st.sampled_from(SYNTAX + WORDS), max_size=30).map("".join)),
    steps=st.integers(1, 12),
    dialect=st.sampled_from([A1111, COMFYUI]),
    negative=st.booleans(),
)
def test_any_text_is_read_or_refused_in_one_line(text, steps, dialect, negative):
    try:
        prompt = parse(text, steps, dialect, embeddings={"b", "cat"}, negative=negative)
    except InputError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        return
    assert prompt.parts
    for part in prompt.parts:
        untils = [held.until for held in part.schedule]
        assert untils == sorted(set(untils))
        assert untils[-1] == steps
        assert untils[0] >= 1
        weights = [s.weight for held in part.schedule for chunk in held.chunks for s in chunk]
        assert all(map(math.isfinite, [part.weight, *weights]))
        assert all(s.text for held in part.schedule for chunk in held.chunks for s in chunk)


@few
@given(text=st.text(), dialect=st.sampled_from([A1111, COMFYUI]))
def test_text_without_syntax_stays_as_it_is(text, dialect):
    assume(not re.search(r"[][()\\:|]|BREAK|AND", text))
    prompt = parse(text, 7, dialect)
    (part,) = prompt.parts
    (held,) = part.schedule
    assert (part.weight, held.until, prompt.loras) == (1.0, 7, ())
    assert held.chunks == (((Span(text),) if text else ()),)


@few
@given(text=st.text(alphabet="ab ()[]\\,:|\n"), negative=st.booleans())
def test_what_is_escaped_is_read_back(text, negative):
    def joined(dialect, syntax):
        escaped = re.sub(syntax, r"\\\g<0>", text)
        (part,) = parse(escaped, 5, dialect, negative=negative).parts
        (held,) = part.schedule
        assert all(span.weight == 1 for chunk in held.chunks for span in chunk)
        return ["".join(span.text for span in chunk) for chunk in held.chunks]

    assert joined(A1111, r"[][()\\]") == [text]
    assert joined(COMFYUI, r"[()]") == [text]


@few
@given(ups=st.integers(0, 12), downs=st.integers(0, 12), weight=st.sampled_from([None, 0.5, 1.3]))
def test_nested_brackets_multiply(ups, downs, weight):
    core = "x" if weight is None else f"(x:{weight})"
    text = "(" * ups + "[" * downs + core + "]" * downs + ")" * ups
    expected = (weight or 1) * 1.1**ups / 1.1**downs
    assert spans(text) == [[("x", expected)]]
    assert spans("(" * ups + "x" + ")" * ups, COMFYUI) == [[("x", 1.1**ups)]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a (b) c", [[("a ", 1), ("b", 1.1), (" c", 1)]]),
        ("(b:1.5)[c]", [[("b", 1.5), ("c", 1 / 1.1)]]),
        ("(b: 1.5 ) (c:+.5) (d:-1)", [[("b", 1.5), (" ", 1), ("c", 0.5), (" ", 1), ("d", -1)]]),
        ("((b:2) c:3)", [[("b", 6), (" c", 3)]]),
        ("a (b [c", [[("a ", 1), ("b ", 1.1), ("c", 1)]]),  # never closed: to the end
        ("a) b] c:1.2)", [[("a) b] c:1.2)", 1)]]),  # never opened: text
        ("(a [b) c]", [[("a ", 1.1), ("b", 1), (" c", 1 / 1.1)]]),  # crossed
        ("(a:b)", [[("a:b", 1.1)]]),
        ("(a)(b)", [[("ab", 1.1)]]),
        (r"a\b \\ \(c\) (d\))", [[(r"ab \ (c) ", 1), ("d)", 1.1)]]),
        ("()[]", [[]]),
        ("a BREAK b", [[("a", 1)], [("b", 1)]]),
        ("a BREAK BREAK b", [[("a", 1)], [], [("b", 1)]]),
        ("BREAK a BREAK", [[], [("a", 1)], []]),
        ("(a BREAK b:2) c", [[("a", 2)], [("b", 2), (" c", 1)]]),
        ("BREAKFAST unBREAK break", [[("BREAKFAST unBREAK break", 1)]]),
    ],
)
def test_emphasis_of_a1111(text, expected):
    assert spans(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a (b) c", [("a ", 1), ("b", 1.1), (" c", 1)]),
        ("((b:1.2) c:1.5)", [("b", 1.2), (" c", 1.5)]),  # the inner weight replaces
        ("((b):1.5)", [("b", 1.65)]),
        ("(b:x)", [("b:x", 1.1)]),
        ("(:2)", [(":2", 1.1)]),
        ("(a:b:2)", [("a:b", 2)]),
        ("[b] BREAK c AND d :2", [("[b] BREAK c AND d :2", 1)]),  # not ComfyUI's syntax
        ("[b:c:3] [d|e]", [("[b:c:3] [d|e]", 1)]),
        (r"\(a\) (b\)) c\d \[", [("(a) ", 1), ("b)", 1.1), (r" c\d \[", 1)]),
        ("a (b", [("a ", 1), ("(b", 1)]),
        ("a) (b:2) c", [("a) (b:2) c", 1)]),  # a level below zero
        ("(a (b)", [("a ", 1.1), ("(b", 1.1)]),
        ("()", []),
    ],
)
def test_emphasis_of_comfyui(text, expected):
    assert spans(text, COMFYUI) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", [(10, "a")]),
        ("a [b:3] c", [(3, "a  c"), (10, "a b c")]),
        ("a [b::3] c", [(3, "a b c"), (10, "a  c")]),
        ("[b:c:0.5]", [(5, "b"), (10, "c")]),
        ("[b:c: .25 ]", [(2, "b"), (10, "c")]),
        ("[b:c:1]", [(1, "b"), (10, "c")]),
        ("[b:c:1.0]", [(10, "b")]),  # a point makes it a fraction
        ("[b:c:0]", [(10, "c")]),
        ("[b:c:-2]", [(10, "c")]),
        ("[b:c:99]", [(10, "b")]),
        ("[b:c:1e999]", [(10, "b")]),
        ("[:b:4]", [(4, ""), (10, "b")]),
        ("[b:[c:d:6]:3]", [(3, "b"), (6, "c"), (10, "d")]),
        ("[[[b]]:2]", [(2, ""), (10, "[[b]]")]),
        ("([b:4]:1.2)", [(4, "(:1.2)"), (10, "(b:1.2)")]),
        ("[(b:1.2):(c):4]", [(4, "(b:1.2)"), (10, "(c)")]),
        ("[a|b:c]", [(10, "[a|b:c]")]),
        ("[a:b]", [(10, "[a:b]")]),  # no number: text
        ("[a:b:c:3]", [(10, "[a:b:c:3]")]),
        ("[a [b:c] d:3]", [(10, "[a [b:c] d:3]")]),  # and so is what is around it
        ("[a (b:3]", [(10, "[a (b:3]")]),
        ("((x] [b:3]", [(3, "((x] "), (10, "((x] b")]),
        ("a | b [c:3]", [(10, "a | b [c:3]")]),  # a stray bar: nothing is scheduled
        ("(a|b) [c:3]", [(10, "(a|b) [c:3]")]),
        ("[c:3] \\", [(10, "[c:3] \\")]),
        (r"\[c:3\] [\]:3]", [(3, r"\[c:3\] "), (10, r"\[c:3\] \]")]),
    ],
)
def test_schedule(text, expected):
    assert schedule(text, 10) == tuple(expected)


def test_words_take_turns():
    assert schedule("[a|b|]x", 4) == ((1, "ax"), (2, "bx"), (3, "x"), (4, "ax"))
    assert schedule("[a|a]", 4) == ((4, "a"),)


TREES = st.recursive(
    st.sampled_from(["", "a", "b c", r"\[", ","]),
    lambda tree: st.one_of(
        st.lists(tree, max_size=3),
        st.tuples(st.just("emphasis"), st.sampled_from(["()", "[]"]), tree),
        st.tuples(st.just("switch"), tree, tree, st.sampled_from(["0", "2", "5", "0.3", "0.75"])),
        st.tuples(st.just("turns"), st.lists(tree, min_size=2, max_size=3)),
    ),
    max_leaves=8,
)


def typed(tree):
    match tree:
        case str():
            return tree
        case list():
            return "".join(map(typed, tree))
        case ("emphasis", brackets, inside):
            return brackets[0] + typed(inside) + brackets[1]
        case ("switch", before, after, when):
            return f"[{typed(before)}:{typed(after)}:{when}]"
        case (_, options):
            return "[" + "|".join(map(typed, options)) + "]"


def held(tree, step, steps):
    match tree:
        case str():
            return tree
        case list():
            return "".join(held(branch, step, steps) for branch in tree)
        case ("emphasis", brackets, inside):
            return brackets[0] + held(inside, step, steps) + brackets[1]
        case ("switch", before, after, when):
            last = int(float(when) * steps) if "." in when else int(when)
            return held(before if step <= last else after, step, steps)
        case (_, options):
            return held(options[(step - 1) % len(options)], step, steps)


@few
@given(tree=TREES, steps=st.integers(1, 12))
def test_each_step_has_the_text_that_the_syntax_says(tree, steps):
    got = schedule(typed(tree), steps)
    for step in range(1, steps + 1):
        now = next(text for until, text in got if step <= until)
        assert now == held(tree, step, steps)


def test_a_part_gives_the_chunks_of_a_step():
    (part,) = parse("[(cat:1.5):dog:4]", 10).parts
    assert part.at(4) == ((Span("cat", 1.5),),)
    assert part.at(5) == part.at(10) == ((Span("dog"),),)


def test_and_joins_parts_with_their_weights():
    parts = parse("a cat :1.2 AND [b:c:4] AND\nd: -0.5 AND SAND", 10).parts
    assert [part.weight for part in parts] == [1.2, 1, -0.5, 1]
    assert [len(part.schedule) for part in parts] == [1, 2, 1, 1]
    assert [part.at(1)[0][0].text for part in parts] == ["a cat", " b ", "\nd", " SAND"]
    (alone,) = parse("a cat :2", 10).parts
    assert alone.weight == 2  # A1111 weighs a prompt without AND too
    assert spans("a AND b :2", negative=True) == [[("a AND b :2", 1)]]


@pytest.mark.parametrize(
    ("tag", "text", "network"),
    [
        ("<lora:x>", 1, 1),
        ("<lora:x:0.8>", 0.8, 0.8),
        ("<lora:x:0.5:0.8>", 0.5, 0.8),
        ("<lora:x:te=0.5>", 0.5, 0.5),
        ("<lora:x:0.3:unet=-1>", 0.3, -1),
        ("<lyco: x : 0.3>", 0.3, 0.3),
    ],
)
@pytest.mark.parametrize("dialect", [A1111, COMFYUI])
def test_lora_tags(tag, text, network, dialect):
    prompt = parse(f"a {tag}b", 10, dialect)
    assert prompt.loras == (LoRARequest("x", text, network),)
    assert prompt.parts == parse("a b", 10, dialect).parts


def test_several_loras_stay_in_order():
    prompt = parse("<lora:b:1> a AND <lora:a:2>[<lora:c>:5]", 10)
    assert [lora.name for lora in prompt.loras] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a embedding:neg, b", [("a ", False), ("neg", True), (", b", False)]),
        ("embedding:neg.safetensors", [("neg", True)]),
        ("embedding:neg,embedding:bad", [("neg", True), (",", False), ("bad", True)]),
        ("embedding: x", [("embedding: x", False)]),
        ("xembedding:neg", [("xembedding:neg", False)]),
    ],
)
@pytest.mark.parametrize("dialect", [A1111, COMFYUI])
def test_embeddings_by_prefix(text, expected, dialect):
    if dialect is A1111 and "xembedding" in text:
        expected = [("xembedding:", False), ("neg", True)]  # the bare name
    names = {"neg", "bad"}
    (chunk,) = parse(text, 1, dialect, embeddings=names).parts[0].at(1)
    assert [(span.text, span.embedding) for span in chunk] == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bad", ["bad"]),
        ("BAD, a", ["bad"]),
        ("badly a bad2", ["bad"]),  # a digit is a word of its own
        ("bad-hands", ["bad-hands"]),
        ("bad-hand", ["bad"]),
        ("(bad:1.3) bad-hands", ["bad", "bad-hands"]),
        ("my  style", ["my style"]),
        ("mybad v2v2 v22", ["v2", "v2", "v2"]),
        (":)) a:)", [":)"]),  # of characters that are no letters, only a whole run
    ],
)
def test_bare_embeddings_are_a1111s(text, found):
    names = ["bad", "bad-hands", "my style", "v2", ":)", " "]
    chunks = parse(text.replace(")", r"\)") if ":)" in text else text, 1, embeddings=names)
    assert [s.text for c in chunks.parts[0].at(1) for s in c if s.embedding] == found
    plain = parse(text, 1, COMFYUI, embeddings=names).parts[0].at(1)
    assert not any(span.embedding for chunk in plain for span in chunk)


def test_an_embedding_keeps_its_weight():
    (chunk,) = parse("a (bad hair:0.5)", 1, embeddings=["bad"]).parts[0].at(1)
    assert chunk == (Span("a "), Span("bad", 0.5, embedding=True), Span(" hair", 0.5))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("(a:1.2.3)", {}, ["1.2.3", "number"]),
        ("(a:.)", {}, ["'.'", "number"]),
        (f"(a:{'9' * 400})", {}, ["finite"]),
        ("(a:nan)", {"dialect": COMFYUI}, ["nan", "finite"]),
        (f"a :{'9' * 400}", {}, ["finite"]),
        ("(" * 101 + "a", {}, ["100 deep"]),
        ("(" * 101 + "a" + ")" * 101, {"dialect": COMFYUI}, ["100 deep"]),
        ("[" * 101 + "a" + ":1]" * 101, {}, ["100 deep"]),
        ("<lora::1>", {}, ["names no LoRA", "<lora:name:0.8>"]),
        ("<lora:x:>", {}, ["<lora:x:>", "number"]),
        ("<lora:x:strong>", {}, ["strong", "number"]),
        ("<lora:x:1:lbw=1,0,0>", {}, ["lbw=1,0,0", "<lora:name:0.5:0.8>"]),
        ("<lora:x:1:1:8>", {}, ["'8'", "not supported"]),
        ("<loar:x:1>", {}, ["loar", "did you mean '<lora:…>'"]),
        ("<lora:x:1>", {"negative": True}, ["'x'", "negative prompt"]),
        ("embedding:easynegativ", {"embeddings": ["easynegative"]}, ["did you mean 'easyneg"]),
        ("embedding:x", {}, ["embedding:x", "no embeddings are loaded"]),
    ],
)
def test_mistakes_are_refused_in_one_line(text, options, words):
    with pytest.raises(InputError) as error:
        parse(text, 10, **options)
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_comfyui_reads_other_tags_as_text():
    assert spans("<3:b>", COMFYUI) == [[("<3:b>", 1)]]


def test_reading_prompts_needs_no_torch():
    code = "import sys, mezzotint.pipeline.prompts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
