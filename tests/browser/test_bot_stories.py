"""People use the bot on the page of the local Slack."""

import pytest
from playwright.async_api import expect

from local_slack.sample import OPERATOR, VIEWER

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def type_command(tab, text):
    composer = tab.get_by_label("Message #ops")
    await composer.click()
    await tab.keyboard.type(text)
    print(await tab.evaluate("document.activeElement.outerHTML"))
    await tab.keyboard.press("Enter")


def last(tab):
    return tab.locator(".message").last


def button(where, name):
    return where.get_by_role("button", name=name, exact=True)


async def test_an_operator_retries_what_failed_and_a_viewer_looks_on_but_may_not(stage, visit):
    make_job = await stage.clear_jobs()
    jobs = [await make_job(status="failed", queue="webhook") for _ in range(3)]
    otto = await visit(stage.slack.page_url, OPERATOR)
    vera = await visit(stage.slack.page_url, VIEWER, width=390, dark=True)

    await type_command(otto, "/jobs errors")
    await button(last(otto), "Preview retry of 3").click()
    for tab in (otto, vera):
        await expect(last(tab)).to_contain_text("Retry 3 failed jobs")
    await expect(otto.locator(".used").last).to_have_text("otto used /jobs errors")

    await button(last(vera), "Retry 3 jobs").click()
    await expect(last(vera)).to_contain_text("Only visible to you")
    await expect(last(vera)).to_contain_text("operator")
    await expect(last(otto)).not_to_contain_text("Only visible to you")

    preview = last(otto)
    await button(preview, "Retry 3 jobs").click()
    await expect(preview).to_contain_text("3 jobs of webhook retried")
    await expect(preview).to_contain_text("(edited)")
    await expect(preview.get_by_role("button")).to_have_count(0)
    assert [await make_job.status(one) for one in jobs] == ["todo"] * 3
