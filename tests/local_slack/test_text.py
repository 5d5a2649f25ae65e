from local_slack import SeenMessage, as_text
from local_slack.text import render_mrkdwn


def message(text="fallback", blocks=()):
    return SeenMessage(
        ts="1.0",
        channel="C1",
        user="U1",
        text=text,
        blocks=list(blocks),
        ephemeral=False,
        kind="message",
        edited=False,
        metadata=None,
        thread_ts=None,
    )


def mrkdwn(text):
    return {"type": "mrkdwn", "text": text}


def plain(text):
    return {"type": "plain_text", "text": text}


def rich(kind, *texts, **fields):
    elements = [{"type": "text", "text": text} for text in texts]
    return {"type": "rich_text", "elements": [{"type": kind, "elements": elements, **fields}]}


def raw(text):
    return {"type": "raw_text", "text": text}


def test_without_blocks_the_text_is_shown_unescaped():
    assert as_text(message("a &lt; b &amp; c")) == "a < b & c"


def test_with_blocks_the_text_is_not_shown():
    blocks = [{"type": "header", "text": plain("Jobs")}, {"type": "section", "text": mrkdwn("ok")}]

    assert as_text(message("fallback", blocks)) == "Jobs\n====\nok"


def test_links_mentions_and_dates_are_shown_as_readers_see_them():
    text = "<https://a.example|docs> <@U1|vera> <@U2> <!date^1^{date}|noon> <#C1|ops> <!channel>"

    assert render_mrkdwn(text) == "docs (https://a.example) @vera @U2 noon #ops @channel"


def test_escaped_text_never_becomes_a_mention():
    assert render_mrkdwn("&lt;!channel&gt; &amp;lt;") == "<!channel> &lt;"


def test_plain_text_is_shown_as_it_is():
    blocks = [{"type": "context", "elements": [plain("<!channel> &lt;"), mrkdwn("a")]}]

    assert as_text(message(blocks=blocks)) == "<!channel> &lt; · a"


def test_buttons_dividers_charts_and_images_have_a_readable_form():
    buttons = [{"type": "button", "text": plain(label)} for label in ("Retry 37 jobs", "Cancel")]
    blocks = [
        {"type": "actions", "elements": buttons},
        {"type": "divider"},
        {"type": "data_visualization", "title": "Failures"},
        {"type": "image", "alt_text": "a cat"},
        {"type": "newest"},
    ]

    assert as_text(message(blocks=blocks)).splitlines() == [
        "[Retry 37 jobs] [Cancel]",
        "-" * 40,
        "[chart: Failures]",
        "[image: a cat]",
        "[newest]",
    ]


def test_a_section_shows_text_fields_and_its_button():
    block = {
        "type": "section",
        "text": mrkdwn("*queue*"),
        "fields": [mrkdwn("a"), plain("b")],
        "accessory": {"type": "button", "text": plain("More")},
    }

    assert as_text(message(blocks=[block])) == "*queue*\na\nb\n[More]"


def test_rich_text_shows_code_lists_quotes_and_links():
    link = {"type": "link", "url": "https://a.example", "text": "docs"}
    items = [{"type": "rich_text_section", "elements": [{"type": "text", "text": t}]} for t in "ab"]
    blocks = [
        rich("rich_text_section", "one ", "two\n"),
        rich("rich_text_preformatted", "Traceback\n  line"),
        rich("rich_text_quote", "said"),
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_list", "style": "bullet", "elements": items},
                {"type": "rich_text_list", "style": "ordered", "elements": items},
                {"type": "rich_text_section", "elements": [link]},
            ],
        },
    ]

    assert as_text(message(blocks=blocks)).splitlines() == [
        "one two",
        "    Traceback",
        "      line",
        "> said",
        "• a",
        "• b",
        "1. a",
        "2. b",
        "docs (https://a.example)",
    ]


def test_a_table_is_aligned_and_numbers_stand_right():
    number = {"type": "raw_number", "value": 7, "text": "7"}
    rows = [[raw("queue"), raw("failed")], [raw("email"), number], [rich_cell("web"), raw("12")]]

    shown = as_text(message(blocks=[{"type": "table", "rows": rows}]))

    assert shown.splitlines() == [
        "queue  failed",
        "-----  ------",
        "email       7",
        "web        12",
    ]


def rich_cell(text):
    return rich("rich_text_section", text)


def test_a_wide_table_is_cut_to_the_width_and_says_where():
    rows = [[raw("id"), raw("error")], [raw("1"), raw("x" * 200)]]

    lines = as_text(message(blocks=[{"type": "table", "rows": rows}])).splitlines()

    assert max(map(len, lines)) == 80
    assert lines[2].endswith("x…")


def test_wide_characters_take_two_columns():
    rows = [[raw("名前"), raw("n")], [raw("ab"), raw("1")]]

    lines = as_text(message(blocks=[{"type": "table", "rows": rows}])).splitlines()

    assert lines == ["名前  n", "----  -", "ab    1"]


def test_long_lines_are_wrapped_and_code_is_not():
    words = "word " * 30
    code = "```\n" + "x " * 60 + "\n```"

    shown = as_text(message(f"{words}\n{code}")).splitlines()

    assert all(len(line) <= 80 for line in shown[:2])
    assert "x " * 60 in shown


def test_a_container_shows_its_children():
    block = {"type": "container", "child_blocks": [{"type": "section", "text": mrkdwn("inside")}]}

    assert as_text(message(blocks=[block])) == "inside"
