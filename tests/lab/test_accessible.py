"""Every page for every reader: what axe-core finds in it, and how far one comes by keyboard."""

import pytest

from mezzotint.lab.lessons import LESSONS

PAGES = ("/", *(f"/lessons/{each.slug}" for each in LESSONS), "/lessons/alchemy", "/studio")
# contrast and what is beside what change with the light and the width; what things are called
# does not, and is looked at once
SEEN = ["color-contrast", "scrollable-region-focusable", "target-size", "link-in-text-block"]
CONTROLS = """() => {
    const some = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const found = {};
    for (const each of document.querySelectorAll(some)) {
        const seen = each.checkVisibility({visibilityProperty: true}) && !each.disabled;
        if (!seen || each.type === "hidden" || each.tabIndex < 0) continue;
        each.dataset.control = each.type === "radio" ? each.name : Object.keys(found).length;
        found[each.dataset.control] = each.outerHTML.slice(0, 90);
    }
    return found;
}"""
FOCUSED = """() => {
    const found = document.activeElement;
    const ringed = [found, found.nextElementSibling, found.closest("label"), found.parentElement];
    const ring = ({outlineStyle, outlineWidth}) =>
        outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
    return [found === document.body, found.dataset.control, found.outerHTML.slice(0, 90),
            ringed.some((each) => each && ring(getComputedStyle(each)))];
}"""


@pytest.mark.parametrize("path", PAGES)
def test_nothing_grave_is_found(bare, address, grave, path):
    bare.set_viewport_size({"width": 1280, "height": 900})
    bare.goto(address + path, wait_until="networkidle")
    assert grave(bare) == []
    for width, scheme in ((1280, "dark"), (390, "dark"), (390, "light")):
        bare.set_viewport_size({"width": width, "height": 900})
        bare.emulate_media(color_scheme=scheme)
        assert grave(bare, SEEN) == [], (width, scheme)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("main.append(make('input', {type: 'text'}))", "label"),
        ("main.append(make('p', {style: 'color: #999; background: #fff'}, 'pale'))", "contrast"),
        ("main.append(make('button'))", "button-name"),
        ("document.documentElement.removeAttribute('lang')", "html-has-lang"),
    ],
)
def test_what_is_grave_is_found(bare, address, grave, fault, rule):
    bare.goto(address)
    make = "const make = (tag, having, ...inside) => { const made = document.createElement(tag);"
    make += "for (const name in having) made.setAttribute(name, having[name]);"
    make += "made.append(...inside); return made; }; const main = document.getElementById('main');"
    bare.evaluate(f"() => {{ {make} {fault} }}")
    assert [found for found in grave(bare) if rule in found[1]]


def by_keyboard(page) -> tuple[list[str], list[str]]:
    """Controls that the tab key does not lead to, and those that do not show that it did."""
    controls = page.evaluate(CONTROLS)
    page.evaluate("() => document.querySelector('.skip').focus()")
    reached: set[str] = set()
    unseen: list[str] = []
    for _ in range(2 * len(controls)):  # a player or a date takes several
        outside, name, what, seen = page.evaluate(FOCUSED)
        if outside:
            break
        if not seen:
            unseen.append(what)
        reached.add(name)
        page.keyboard.press("Tab")
    missed = controls.keys() - reached
    still = [name for name in missed if page.locator(f"[data-control='{name}']").count()]
    return [controls[name] for name in still], unseen


@pytest.mark.parametrize("path", PAGES)
def test_tab_reaches_every_control_and_shows_where_it_is(bare, address, path):
    bare.goto(address + path, wait_until="networkidle")
    assert by_keyboard(bare) == ([], [])


def test_what_the_keyboard_cannot_do_is_found(bare, address):
    bare.goto(address)
    bare.add_style_tag(content="#theme:focus { outline: none; }")
    bare.evaluate("""() => document.getElementById("go").addEventListener("keydown",
        (pressed) => pressed.preventDefault())""")
    missed, unseen = by_keyboard(bare)
    assert f"/lessons/{LESSONS[-1].slug}" in " ".join(missed)
    assert [what for what in unseen if 'id="theme"' in what]


def test_all_lessons_are_behind_one_button_without_a_script(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/lessons/{LESSONS[0].slug}")
    first = page.get_by_role("link", name=LESSONS[0].title, exact=True)
    assert not first.is_visible()
    page.get_by_role("button", name=f"1 {LESSONS[0].title}").press("Enter")
    assert first.is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/lessons/{LESSONS[1].slug}")
    page.get_by_role("button", name=f"2 {LESSONS[1].title}").press("Enter")
    page.keyboard.press("Escape")
    assert not first.is_visible()
    page.get_by_role("link", name=f"Before: {LESSONS[0].title}").click()
    page.wait_for_url(f"**/lessons/{LESSONS[0].slug}")
    context.close()
