"""Variations in a prompt are expanded by a seed; what is no variation stays as it was typed."""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from dynamicprompts.enums import SamplingMethod
from dynamicprompts.sampling_context import SamplingContext
from dynamicprompts.wildcards import WildcardManager
from hypothesis import example, given
from hypothesis import strategies as st

from comfytui.workflow.prompt_text.sampling import MAX_LOOKUPS
from comfytui.workflow.prompt_text.template import escaped_text, unknown_wildcards
from comfytui.workflow.prompt_text.variations import VariationError, expand, varies
from comfytui.workflow.prompt_text.wildcards import Line, Wildcards, load_wildcards
from tests.resources import cpu_limit, memory_limit

ANIMALS = Wildcards(
    lists={
        "animal": (Line("cat"), Line("dog")),
        "animals/big": (Line("a {black|white} bear"),),
        "loop": (Line("more __loop__"),),
        "wide": (Line(" ".join(["__wide__"] * 50)),),
        "rare": (Line("gold", 1e-6), Line("iron")),
    }
)


def all_of(template: str, wildcards: Wildcards = ANIMALS, seeds: int = 60) -> set[str]:
    return {expand(template, seed, wildcards) for seed in range(seeds)}


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ("a {cat|dog}", {"a cat", "a dog"}),
        ("{a|{b|c} d}", {"a", "b d", "c d"}),
        ("{2$$a|b}", {"a,b", "b,a"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{2$$、$$甲|乙}", {"甲、乙", "乙、甲"}),
        ("{2$$ | $$a|b}", {"a | b", "b | a"}),
        ("{1-2$$a|b}", {"a", "b", "a,b", "b,a"}),
        ("{2-$$a|b}", {"a,b", "b,a"}),
        ("{-1$$a|b}", {"a", "b"}),
        ("{1-1000000$$a|b}", {"a", "b", "a,b", "b,a"}),
        ("{999999999$$a|b}", {"a,b", "b,a"}),
        ("{0::a|1::b}", {"b"}),
        ("{0::a|0::b}", {"a", "b"}),
        ("{.5::a|b}", {"a", "b"}),
        ("{ a| b}", {"a", "b"}),
        ("{a|}", {"a", ""}),
        ("{|}", {""}),
        ("{!a|b} {@a|b}", {"a a", "a b", "b a", "b b"}),
        ("__animal__", {"cat", "dog"}),
        ("{2$$__animal__}", {"cat,dog", "dog,cat"}),
        ("{__animal__|bird}", {"cat", "dog", "bird"}),
        ("__animals/big__", {"a black bear", "a white bear"}),
        ("__big__", {"a black bear", "a white bear"}),
        ("__anim*l__", {"cat", "dog"}),
        ("(__animal__:1.2), <lora:{a|b}:0.8>", {f"({x}:1.2), <lora:{y}:0.8>" for x in ("cat", "dog") for y in "ab"}),
        ("{a|b\\|c}", {"a", "b|c"}),
        ("{a|\\{b\\}}", {"a", "{b}"}),
        ("{{{{a|b}", {"{{{a", "{{{b"}),
        ('{"animal": "{cat|dog}"}', {'{"animal": "cat"}', '{"animal": "dog"}'}),
    ],
)
def test_a_template_becomes_each_of_its_texts(template: str, texts: set[str]) -> None:
    assert all_of(template) == texts


@pytest.mark.parametrize(
    "text",
    [
        "a cat, (big:1.2)",
        "an {unclosed brace",
        "a } b",
        "{}",
        "{one}",
        "{ }",
        '{"a": 1}',
        '{"a": "x|y", "b": {"c": "x|y"}}',
        json.dumps([{"role": "user", "content": "a|b"}], indent=2),
        "see http://example.org/a_b__c//d#e // no comment",
        "# a heading\n/* kept */",
        "__init__ and __unknown__ and ____",
        "a  b\n\n c ",
        "${name} %{a$$b}",
        "{a $$ b}",
        "日本語 {",
    ],
)
def test_what_is_no_variation_stays_as_it_is(text: str) -> None:
    assert all_of(text, seeds=5) == {text}
    assert not varies(text, ANIMALS)


def test_comments_and_addresses_beside_a_variation_are_kept() -> None:
    assert all_of("http://a.b//c#d {x|y} // z # w") == {f"http://a.b//c#d {each} // z # w" for each in "xy"}


def test_escaped_braces_lose_their_backslash() -> None:
    assert expand(r"\{a|b\} (c\)", 1) == r"{a|b} (c\)"


@given(st.integers(0, 2**64 - 1))
def test_the_same_seed_makes_the_same_text(seed: int) -> None:
    template = "{a|b|c|d} __animal__ {2$$e|f|g}"
    assert expand(template, seed, ANIMALS) == expand(template, seed, ANIMALS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # dynamicprompts' parser calls pyparsing by old names.
@pytest.mark.parametrize("template", ["{a|b|c}", "x {a|{b|c}|d} y", "{2$$a|b|c} {0.9::d|0.1::e}", "{1-2$$ & $$a|b|c}"])
def test_choices_are_those_of_dynamicprompts(template: str) -> None:
    for seed in range(30):
        context = SamplingContext(SamplingMethod.RANDOM, WildcardManager(), rand=Random(seed))
        assert expand(template, seed) == str(next(iter(context.sample_prompts(template, 1))))


def test_weights_decide_how_often_an_option_is_taken() -> None:
    texts = [expand("{9::a|b} __rare__", seed, ANIMALS) for seed in range(200)]
    assert 150 < sum(text.startswith("a") for text in texts) < 200
    assert not any(text.endswith("gold") for text in texts)


@pytest.mark.parametrize("template", ["__loop__", "__wide__"])
def test_wildcards_without_end_become_one_sentence(template: str) -> None:
    with pytest.raises(VariationError, match=r"The wildcard __(loop|wide)__ names itself, or names others too often\."):
        expand(template, 1, ANIMALS)


def test_too_many_wildcards_become_one_sentence() -> None:
    with pytest.raises(VariationError, match="too often"):
        expand("__animal__ " * (MAX_LOOKUPS + 1), 1, ANIMALS)


def test_a_template_that_is_too_long_becomes_one_sentence() -> None:
    with pytest.raises(VariationError, match="at most 100,000 characters"):
        expand("{a|b}" * 20_001, 1)
    assert expand("a" * 200_000, 1) == "a" * 200_000


@pytest.mark.parametrize(
    "template",
    [
        "{" * 90_000,
        "{" * 45_000 + "}" * 45_000,
        "{a|" * 25_000 + "}" * 25_000,
        "{" + "|".join(["a"] * 49_000) + "}",
        "{100$$" + "|".join(["a"] * 40_000) + "}",
        "{1-1000000$$" * 7_000,
        "__" * 45_000,
        "__a" * 30_000,
        "{9$$" * 2_000 + "|" + "}" * 2_000,
        "\\" * 90_000 + "{a|b}",
        " " * 90_000 + "{|}",
        "{" + " " * 90_000 + "|}",
        "{1" + " " * 90_000 + "|}",
        "{2$$" + " " * 90_000 + "|}",
    ],
)
def test_hostile_templates_end_soon(template: str) -> None:
    with cpu_limit(20):
        expand(template, 1, ANIMALS)


@given(st.text(alphabet='{}|$_ab1-:."\\ ~!@*/\n', max_size=60), st.integers(0, 9))
@example("{2$$__loop__}", 0)
@example("{0$$a|b}", 0)
@example("{1$$}", 0)
def test_any_text_is_expanded_or_refused_in_a_sentence(text: str, seed: int) -> None:
    refusal = ""
    try:
        expand(text, seed, ANIMALS)
    except VariationError as error:
        refusal = str(error)
    assert re.fullmatch(r"([A-Z].*\.)?", refusal)


def test_names_without_a_wildcard_are_reported() -> None:
    assert unknown_wildcards("__animal__ __anmial__ __anmial__ __x__", ANIMALS.__contains__) == ("anmial", "x")


@pytest.mark.parametrize("template", ["__many__ " * 900, "{3$$__many__} " * 200, "{90$$__many__} " * 900])
def test_a_wildcard_of_many_lines_takes_no_long_time(template: str) -> None:
    wildcards = Wildcards(lists={"many": tuple(Line(f"word {number}") for number in range(200_000))})
    with cpu_limit(6), suppress(VariationError):
        assert "word" in expand(template, 1, wildcards)


# Folders


def test_files_of_a_folder_are_wildcards_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "animals").mkdir()
    (tmp_path / "animals/cats.txt").write_text("# cats\n\nlion\n  tiger \n", "utf-8-sig")
    (tmp_path / "styles.yaml").write_text("paint:\n  oil: [thick, '3::thin']\n  water: wet\nlone: {text: x}\n")
    (tmp_path / "list.yaml").write_text("- {text: a, weight: 2}\n- b\n- 5\n")
    (tmp_path / "notes.md").write_text("no wildcard")
    wildcards = load_wildcards(tmp_path)
    assert wildcards.names == ("animals/cats", "list", "lone/text", "paint/oil", "paint/water")
    assert wildcards.lines("animals/cats") == (Line("lion"), Line("tiger"))
    assert wildcards.lines("paint/oil") == (Line("thick"), Line("thin", 3))
    assert wildcards.lines("list") == (Line("a", 2), Line("b"), Line("5"))
    assert wildcards.lines("paint/*") == (Line("thick"), Line("thin", 3), Line("wet"))


def test_each_line_of_yaml_is_a_text_as_it_is_typed(tmp_path: Path) -> None:
    typed = ["yes", "No", "on", "1990", "007", "0x1F", "1.5", "1.50", "1e3", "59:59", "null", "~", "2020-01-01", ".inf"]
    items = [*typed, '"quoted"', "!!int 5", "!!float 2.0", "!!bool off", "!!null x"]
    (tmp_path / "words.yaml").write_text(
        "".join(f"- {item}\n" for item in items) + "-\n- {text: 1984, weight: 2.5}\n- {text: x, weight: much}\n"
    )
    (tmp_path / "keys.yaml").write_text("1990: [a]\nyes: b\nnull: c\nbase: &base {d: e}\nmerged: {<<: *base}\nnone:\n")
    wildcards = load_wildcards(tmp_path)
    texts = [*typed, "quoted", "5", "2.0", "off", "x"]
    assert wildcards.lines("words") == (*map(Line, texts), Line("1984", 2.5), Line("x"))
    assert {name: wildcards.lines(f"{name}") for name in wildcards.names if name != "words"} == {
        **{"1990": (Line("a"),), "yes": (Line("b"),), "null": (Line("c"),)},
        **{"base/d": (Line("e"),), "merged/d": (Line("e"),)},
    }


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", "*/../../secret"])
def test_no_name_leaves_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "wildcards").mkdir()
    wildcards = load_wildcards(tmp_path / "wildcards")
    assert name not in wildcards
    assert expand(f"__{name}__", 1, wildcards) == f"__{name}__"


def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "animal.txt").write_text("fox")
    assert load_wildcards(tmp_path).lines("animal") == (Line("fox"),)


def test_damaged_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "deep.yaml").write_text("[" * 5_000)
    (tmp_path / "bomb.yaml").write_text(
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{b}: &{b} {{p: *{a}, q: *{a}, r: *{a}}}\n" for a, b in zip("abcdefghijkl", "bcdefghijklm", strict=True)
        )
    )
    (tmp_path / "object.yaml").write_text("a: !!python/object/apply:os.system [ls]\n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\nfine\n" + b"y" * 5_000)
    wildcards = load_wildcards(tmp_path)
    assert "fine" in [line.text for line in wildcards.lines("bytes")]
    assert not {"broken", "object/a"} & set(wildcards.names)


YAML_BOMBS = {
    "a list of many names": "l: &l\n" + "- a\n" * 100_000 + "".join(f"b{number}: *l\n" for number in range(40_000)),
    "a number of many parts": "- " + ":".join(["59"] * 330_000),
    "a fraction of many parts": "- " + ":".join(["59"] * 330_000) + ".5",
}


@pytest.mark.parametrize("content", YAML_BOMBS.values(), ids=YAML_BOMBS.keys())
def test_a_file_that_is_expensive_to_read_is_left_out_soon(content: str, tmp_path: Path) -> None:
    (tmp_path / "bomb.yaml").write_text(content)
    with cpu_limit(15), memory_limit(300 * 2**20):
        load_wildcards(tmp_path)


def test_a_folder_that_is_missing_has_no_wildcards(tmp_path: Path) -> None:
    assert load_wildcards(tmp_path / "none").names == ()
    assert load_wildcards(None).names == ()


def test_a_file_that_vanished_leaves_its_place_empty(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    wildcards = load_wildcards(tmp_path)
    (tmp_path / "a.txt").unlink()
    assert expand("b __a__", 1, wildcards) == "b "


@pytest.mark.parametrize(
    "text",
    [
        "a plain text",
        "a {cat|dog}",
        "a \\{cat|dog\\}",
        "__animal__ and __unknown__",
        "\\__animal__",
        "{2$$__animal__|b} } {",
        "{",
        '{"a": "{b|c}"}',
        "\\",
        "\\}",
    ],
)
def test_an_escaped_text_becomes_just_this_text(text: str) -> None:
    assert all_of(escaped_text(text, ANIMALS.__contains__)) == {text}


@given(st.text(alphabet="{}|\\_$:1a animal", max_size=40))
def test_any_text_can_be_escaped(text: str) -> None:
    assert all_of(escaped_text(text, ANIMALS.__contains__), seeds=3) == {text}


def test_text_that_is_not_expanded_is_not_escaped() -> None:
    for text in ("a {b} c", '{"a": 1}', "{ __unknown__"):
        assert escaped_text(text, ANIMALS.__contains__) == text
