"""Addresses, the store and updates of the page's elements, as the browser runs them."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import run


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("", "#/search"),
        ("#/nowhere?c=default", "#/search"),
        ("#/search?c=a b&id=7&r=1,2,3,4&min=0.5", "#/search?c=a+b&id=7&r=1,2,3,4&min=0.5"),
        ("#/search?id=x&r=1,2,0,4&min=9&q=abc", "#/search"),
        ("#/image/9?in=library&f=%24width > 1", "#/image/9?in=library&f=%24width+%3E+1"),
        ("#/image/9?id=7", "#/image/9?id=7"),
        ("#/library?sort=name&c=%E5%9B%BE", "#/library?c=%E5%9B%BE&sort=name"),
    ],
)
def test_an_address_is_read_and_written_alike(address: str, canonical: str, page: Page) -> None:
    def wrote(given: str) -> str:
        return str(run(page, "state/route.js", "return m.address(m.parse(given))", given=given))

    assert wrote(address).partition("?")[0] == canonical.partition("?")[0]
    order = sorted(wrote(address).partition("?")[2].split("&"))
    assert order == sorted(canonical.partition("?")[2].split("&"))
    assert wrote(wrote(address)) == wrote(address)


def test_a_patch_keeps_keyed_elements_and_their_focus(page: Page) -> None:
    body = """
        const root = document.body.appendChild(document.createElement("ul"));
        const list = (keys) => keys.map((key) => m.h("li", {key, tabindex: 0}, key));
        m.patch(root, list(["a", "b", "c"]));
        const kept = root.children[1];
        kept.dataset.mine = "1";
        m.patch(root, list(["d", "b", "a"]));
        const texts = [...root.children].map((child) => child.textContent);
        const isSame = root.children[1] === kept;
        root.remove();
        return [texts, isSame];
    """
    assert run(page, "view.js", body) == [["d", "b", "a"], True]


def test_text_never_becomes_markup_and_properties_go_again(page: Page) -> None:
    body = """
        const root = document.createElement("div");
        m.patch(root, [m.h("p", {title: "x", hidden: true, class: "a"}, "<b>", null, false, 0)]);
        const first = root.outerHTML;
        m.patch(root, [m.h("p", {class: "b", hidden: false})]);
        return [first, root.outerHTML];
    """
    assert run(page, "view.js", body) == [
        '<div><p title="x" hidden="" class="a">&lt;b&gt;0</p></div>',
        '<div><p class="b"></p></div>',
    ]


def test_a_text_that_is_being_typed_stays_until_its_value_changes(page: Page) -> None:
    body = """
        const root = document.body.appendChild(document.createElement("div"));
        const field = (value, title) => {
            m.patch(root, [m.h("input", {".value": value, title})]);
            return root.firstChild.value;
        };
        field("saved", "a");
        root.firstChild.focus();
        root.firstChild.value = "typed";
        const values = [field("saved", "b"), field("other", "c")];
        root.firstChild.value = "typed";
        root.firstChild.blur();
        values.push(field("other", "d"));
        root.remove();
        return values;
    """
    assert run(page, "view.js", body) == ["typed", "other", "other"]


def test_changes_of_one_moment_are_told_once(page: Page) -> None:
    body = """
        const store = new m.Store({n: 0, same: 1});
        let calls = 0;
        const end = store.subscribe(() => (calls += 1));
        store.change(({n}) => ({n: n + 1}));
        store.change(({n}) => ({n: n + 1}));
        store.change(() => ({same: 1}));
        store.change(() => undefined);
        await null;
        end();
        store.change(() => ({n: 9}));
        await null;
        return [calls, store.state.n];
    """
    assert run(page, "state/store.js", body) == [1, 9]


def test_a_result_is_made_again_only_for_other_arguments(page: Page) -> None:
    body = """
        let calls = 0;
        const sum = m.memo((a, b) => (calls += 1, a + b));
        return [sum(1, 2), sum(1, 2), sum(2, 2), sum(1, 2), calls];
    """
    assert run(page, "state/memo.js", body) == [3, 3, 4, 3, 3]
