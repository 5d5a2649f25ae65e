"""People use the bot on the page of the local Slack."""

import contextlib

import psycopg
import pytest
from playwright.async_api import expect
from tests.support.keys import Keys

from local_slack.sample import ADMIN, GUEST, OPERATOR, VIEWER

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def type_command(tab, text):
    """As a person does: with the keyboard, where the focus is after a click."""
    await tab.get_by_label("Message #ops").click()
    await tab.keyboard.type(text)
    await tab.keyboard.press("Enter")


def last(tab):
    return tab.locator(".message").last


def button(where, name):
    return where.get_by_role("button", name=name, exact=True)


async def test_an_operator_retries_what_failed_and_others_look_on_but_may_not(stage, visit):
    make_job = await stage.clear_jobs()
    jobs = [await make_job(status="failed", queue="webhook") for _ in range(3)]
    otto = await visit(stage.slack.page_url, OPERATOR)
    vera = await visit(stage.slack.page_url, VIEWER, width=390, dark=True)

    await type_command(otto, "/jobs errors")
    await button(last(otto), "Preview retry of 3").click()
    for tab in (otto, vera):
        await expect(last(tab)).to_contain_text("Retry 3 failed jobs of webhook?")
    await expect(otto.locator(".used").last).to_have_text("otto used /jobs errors")

    await button(last(vera), "Retry 3 jobs").click()
    await expect(last(vera)).to_contain_text("Only visible to you")
    await expect(last(vera)).to_contain_text("operator")
    # The same tab becomes somebody who may even less.
    await vera.get_by_label("Act as").select_option("gus · no role")
    await expect(vera.get_by_label("Act as")).to_have_value(GUEST)
    await expect(last(vera)).to_contain_text("Retry 3 failed jobs of webhook?")
    await type_command(vera, "/jobs stats")
    await expect(last(vera)).to_contain_text("Only visible to you")

    preview = last(otto)
    await expect(preview).not_to_contain_text("Only visible to you")
    await button(preview, "Retry 3 jobs").click()
    await expect(preview).to_contain_text("retried by @otto")
    # As in Slack: only an edit of a text is marked, not one of blocks.
    await expect(preview).not_to_contain_text("(edited)")
    await expect(preview.get_by_role("button")).to_have_count(0)
    assert [await make_job.status(one) for one in jobs] == ["todo"] * 3


async def test_with_the_keyboard_alone_a_word_is_completed_details_opened_and_shared(stage, visit):
    make_job = await stage.clear_jobs()
    job = await make_job(status="failed", queue="webhook", error="connection refused")
    vera = await visit(stage.slack.page_url, VIEWER)
    keys = Keys(vera)

    composer = vera.get_by_label("Message #ops")
    await keys.to(composer)
    await keys.type("/jobs fai")
    offers = vera.get_by_role("listbox", name="Words").get_by_role("option")
    await expect(offers).to_have_text(["failed" + "failed jobs with their errors, newest first"])
    await keys.press("Tab")
    await expect(composer).to_have_value("/jobs failed ")
    await keys.type("--si")
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(composer).to_have_value("/jobs failed --since ")
    await keys.type("2h")
    await keys.press("Enter")
    details = button(last(vera), "Details")
    await expect(details).to_be_visible()
    await keys.back_to(details)
    await keys.press("Enter")

    modal = vera.get_by_role("dialog")
    await expect(modal).to_contain_text("connection refused")
    await keys.press("Escape")
    await expect(modal).to_have_count(0)
    # The focus is back where it was.
    await expect(details).to_be_focused()
    await keys.press("Enter")
    await expect(modal).to_contain_text("connection refused")
    await keys.to(button(modal, "Share here"))
    await keys.press("Enter")
    await expect(modal).to_have_count(0)
    await expect(last(vera)).to_contain_text(f"Job {job}")
    await expect(last(vera)).to_contain_text("shared by @vera")
    await expect(last(vera)).not_to_contain_text("Only visible to you")
    await keys.to(composer)
    await keys.press("ArrowUp")
    await expect(composer).to_have_value("/jobs failed --since 2h")


@contextlib.asynccontextmanager
async def standing_still(stage, offset):
    """The row of one job is held, so that a run waits in the batch that has it."""
    async with await psycopg.AsyncConnection.connect(stage.database_url) as holder:
        await holder.execute(
            "SELECT id FROM procrastinate_jobs ORDER BY id OFFSET %s LIMIT 1 FOR UPDATE", (offset,)
        )
        yield
        await holder.rollback()


async def test_a_long_act_moves_its_bar_and_is_stopped_by_another_person(stage, visit):
    await stage.clear_jobs()
    await stage.conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'webhook', 'app.send', 'failed' FROM generate_series(1, 1200)"
    )
    otto = await visit(stage.slack.page_url, OPERATOR)
    ada = await visit(stage.slack.page_url, ADMIN)
    await type_command(otto, "/jobs retry --all webhook")
    start = button(last(otto), "Retry 1,200 jobs")
    await expect(start).to_be_visible()
    message = ada.locator(f"[data-ts='{await last(otto).get_attribute('data-ts')}']")
    async with standing_still(stage, 600):
        await start.click()
        await expect(message).to_contain_text("500 done")
        await expect(message.locator("code").first).to_contain_text("████░░░░░░")
        await button(message, "Stop").click()
        await expect(last(ada)).to_contain_text("Stopping")
    await expect(message).to_contain_text("200")
    await expect(button(message, "Preview the rest")).to_be_visible()
