"""`make screenshots` on the two pictures that have the most in them."""

import struct

import pytest
from tests.support.scenes import all_scenes
from tests.support.screenshots import shoot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.environments]


@pytest.mark.parametrize(("name", "width"), [("digest", 1440), ("stats-phone", 780)])
async def test_the_page_shows_the_words_of_a_picture_and_nothing_else(browser, name, width):
    scene = next(one for one in all_scenes() if one.name == name)
    # `shoot` compares the words.
    picture = await shoot(browser, scene)
    found = struct.unpack(">IIBB", picture[16:26])
    assert found[0] == width
    assert 600 < found[1] < 1_600
    assert found[2:] == (8, 3), "eight bits a pixel, of a palette"
