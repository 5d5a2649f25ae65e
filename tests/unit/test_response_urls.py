"""How often a response_url may still be used."""

from chatbot.slack.response_urls import ResponseUrls

NOWHERE = "nowhere:///response/"
"""No request leaves for such an address, and nobody knows that, so it counts as a use."""


async def use(urls, number):
    assert (await urls.post(f"{NOWHERE}{number}", {}))[0] == 0


async def test_five_uses_or_half_an_hour_and_each_address_for_itself():
    now = [0.0]
    urls = ResponseUrls(1.0, lambda: now[0])
    assert urls.count_left(f"{NOWHERE}1") == 5
    for left in (4, 3, 2, 1, 0, 0):
        await use(urls, 1)
        assert urls.count_left(f"{NOWHERE}1") == left
    await use(urls, 2)
    now[0] = 1_799.0
    assert urls.count_left(f"{NOWHERE}2") == 4
    now[0] = 1_800.0
    assert urls.count_left(f"{NOWHERE}2") == 0
    await urls.close()


async def test_of_very_many_addresses_the_oldest_is_forgotten_and_left_to_slack():
    urls = ResponseUrls(1.0, lambda: 0.0)
    for number in range(5_001):
        await use(urls, number)
    assert urls.count_left(f"{NOWHERE}0") == 5
    assert urls.count_left(f"{NOWHERE}1") == urls.count_left(f"{NOWHERE}5000") == 4
    await urls.close()
