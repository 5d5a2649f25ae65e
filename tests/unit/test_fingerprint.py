"""Which failures are one group, measured on texts of public trackers."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from pathlib import Path

import pytest

from jobs_maint.fingerprint import build_fingerprint, is_built, normalise

DATA = Path(__file__).parents[1] / "data/error_groups.txt"


def read_texts():
    """(group, source, exception type, text) each."""
    found = []
    group = type_name = source = ""
    for line in DATA.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            group, type_name, source = line[3:].split(" | ")
        elif line and not line.startswith("#"):
            text = line.replace(r"\\", "\0").replace(r"\n", "\n").replace(r"\t", "\t")
            found.append((group, source, type_name, text.replace("\0", "\\")))
    return found


def test_98_of_100_pairs_of_one_group_are_together_and_no_others():
    texts = read_texts()
    assert len(texts) >= 350
    assert sum(source.startswith("https://") for _, source, _, _ in texts) >= 195
    built = [build_fingerprint("app.task", name, text) for _, _, name, text in texts]
    together = apart = mixed = 0
    for one, other in itertools.combinations(range(len(texts)), 2):
        same = texts[one][0] == texts[other][0]
        alike = built[one] == built[other]
        together += same and alike
        apart += same and not alike
        mixed += alike and not same
    precision, recall = together / (together + mixed), together / (together + apart)
    forms = defaultdict(set)
    for group, _, _, text in texts:
        forms[normalise(text)].add(group)
        forms[group].add(normalise(text))
    wrong = [f"{key}: {sorted(values)}" for key, values in forms.items() if len(values) > 1]
    told = f"precision {precision:.3f}, recall {recall:.3f}\n" + "\n".join(wrong)
    assert precision >= 0.98, told
    assert recall >= 0.98, told


def test_a_fingerprint_knows_task_type_and_version():
    one = build_fingerprint("app.task", "ValueError", "order 17 of ana@shop.example not found")
    assert one == build_fingerprint("app.task", "ValueError", "order 9 of u40@x.example not found")
    assert one.startswith("2:")
    assert one != build_fingerprint("app.other", "ValueError", "order 17 not found")
    assert one != build_fingerprint(
        "app.task", "KeyError", "order 17 of ana@shop.example not found"
    )
    assert build_fingerprint("app.task", "E", "HTTP 404", version=1) == build_fingerprint(
        "app.task", "E", "HTTP 503", version=1
    )
    assert is_built(one)
    assert not is_built("1:worker_lost:app.task")


@pytest.mark.parametrize(
    "text", ["parcel P4, request {}", "request_{} failed", "req-{}: late", "id={}, gone", "({})"]
)
@pytest.mark.parametrize(
    "ids",
    [
        ("235240d", "1338861", "4f2ab90", "a1b2c3d", "bdfea27", "12345e6"),
        ("1A2B3C4", "1338861", "F000000"),
        ("133886", "9f86d081884c", "12345678901d"),
    ],
)
def test_a_short_id_in_hex_is_of_its_kin_whatever_its_digits_are(text, ids):
    assert len({normalise(text.format(one)) for one in ids}) == 1


def test_spans_and_sizes_are_no_ids():
    assert normalise("timed out after 235240 ms") == normalise("timed out after 5 m")
    assert normalise("retry in 12d") == normalise("retry in 3 h")
    assert normalise("needs 1234567B") == normalise("needs 7 MB")
    assert normalise("order 17") != normalise("order 17d")
    long = "digest 9f86d081884c7d659a2feaa0c55ad015"
    assert normalise(long) == "digest <id>"  # as before: digits alone do not happen


PIECES = """a|-|a-|a1|a.|a:|0:|::|'|`|'a' |'a b c |x='a b c d'|a@|@a|1.|1-|1,|1s |http://
http://a@|url: /|2025-01-01 |datetime.x(|VALUES (|Command '[|[parameters: |input_value=|)=|LINE 1:
tmp|a/|aA1/
eyJaaaaaaaa.|A+/|abc_|aA1_|Mon 1 Jan |12:30:11 |error 1|error |(1, '|to a:|<n>|-<n>|µ|a-1.| """


def test_only_the_beginning_of_a_text_is_looked_at_and_no_text_takes_long():
    assert normalise("x " * 10**6) == ("x " * 1_000).strip()
    for piece in PIECES.replace("\n", "|").split("|"):
        times = []
        for length in (500, 2_000):
            text = piece * (length // len(piece))
            runs = []
            for _ in range(3):
                begun = time.thread_time()
                normalise(text)
                runs.append(time.thread_time() - begun)
            times.append(min(runs))
        assert times[1] < 12 * times[0] + 0.005, piece
