"""The shop looks as it did when somebody last looked at it."""

from playwright.sync_api import Page

from client_sdk.testing import ScratchCollection, Visual


def test_the_front_page(shop: Page, visual: Visual) -> None:
    visual.assert_similar(shop.screenshot(full_page=True), "front", ignore=[shop.locator("#clock")])


def test_the_front_page_on_a_phone(shop: Page, visual: Visual) -> None:
    shop.set_viewport_size({"width": 390, "height": 844})
    visual.assert_similar(shop, "front-phone")


def test_the_price(shop: Page, visual: Visual) -> None:
    visual.assert_similar(shop.locator("#keemun .price"), "price-keemun")


def test_each_tea_has_a_picture_of_its_own(shop: Page, visual: Visual) -> None:
    teas = ["keemun", "sencha", "rooibos"]
    with visual.soft():
        for tea in teas:
            visual.assert_looks_like(shop.locator(f"#{tea} .picture"), tea)


def test_a_tea_is_found_by_its_picture(
    shop: Page, visual: Visual, lookalike_collection: ScratchCollection
) -> None:
    for tea in ("keemun", "sencha", "rooibos"):
        card = shop.locator(f"#{tea}").screenshot()
        lookalike_collection.add((f"{tea}.png", card))
    picture = shop.locator("#sencha .picture").screenshot()
    visual.assert_nearest(picture, "sencha", margin=0.05)
