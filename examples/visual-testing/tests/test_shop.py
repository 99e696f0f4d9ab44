"""The shop looks as it did when somebody last looked at it."""

from playwright.sync_api import Page

from client_sdk.testing import ScratchCollection, Visual


def test_the_front_page(shop: Page, visual: Visual) -> None:
    clock = shop.locator("#clock").bounding_box()
    assert clock is not None
    visual.assert_similar(shop.screenshot(full_page=True), "front", ignore=[clock])


def test_the_front_page_on_a_phone(shop: Page, visual: Visual) -> None:
    shop.set_viewport_size({"width": 390, "height": 844})
    visual.assert_similar(shop.screenshot(), "front-phone")


def test_the_price_to_the_pixel(shop: Page, visual: Visual) -> None:
    price = shop.locator("#keemun .price").screenshot()
    visual.assert_similar(price, "price-keemun", also_pixels=0.001)


def test_each_tea_has_a_picture_of_its_own(shop: Page, visual: Visual) -> None:
    teas = ["keemun", "sencha", "rooibos"]
    with visual.soft():
        for tea in teas:
            visual.assert_similar(shop.locator(f"#{tea} .picture").screenshot(), tea)


def test_a_tea_is_found_by_its_picture(
    shop: Page, visual: Visual, lookalike_collection: ScratchCollection
) -> None:
    for tea in ("keemun", "sencha", "rooibos"):
        card = shop.locator(f"#{tea}").screenshot()
        lookalike_collection.add((f"{tea}.png", card))
    picture = shop.locator("#sencha .picture").screenshot()
    visual.assert_nearest(picture, "sencha", margin=0.05)
