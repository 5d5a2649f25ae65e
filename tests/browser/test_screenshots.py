"""`make screenshots`: the page shows the words of each picture."""

import struct

import pytest
from tests.support.scenes import all_scenes
from tests.support.screenshots import shoot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.environments]


@pytest.mark.parametrize("scene", list(all_scenes()), ids=lambda scene: scene.name)
async def test_the_page_shows_the_words_of_a_picture_and_nothing_else(browser, scene):
    # `shoot` compares the words.
    picture = await shoot(browser, scene)
    found = struct.unpack(">IIBB", picture[16:26])
    assert found[0] == (780 if scene.phone else 1440)
    assert 200 < found[1] < 4_000
    assert found[2:] == (8, 3), "eight bits a pixel, of a palette"
