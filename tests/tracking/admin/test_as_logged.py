"""Pages show what was logged, find what was written, and say what they leave out."""

import csv
import io
import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.test import Client

from apps.tracking.exports.rows import safe_cell
from apps.tracking.files import blobs, previews
from apps.tracking.models import RunFile
from tests.factories.door import Door

SignIn = Callable[[str], Client]
# As people order them: numbers by their value, then other texts.
TEXTS = ("-1", "-0.9", "1e-3", "0.9", "1.1", "1.10", "2", "10", "00123", "12345e67", "0" * 39 + "1", "1_000", "abc")
NUMBERED = ("-1", "-0.9", "1e-3", "0.9", "0" * 39 + "1", "1.1", "1.10", "2", "10", "00123", "12345e67", "1_000", "abc")
RUNS = "/admin/tracking/run/"


@pytest.fixture
def runs(door: Door) -> list[str]:
    made = []
    for text in TEXTS:
        run = door.run(run_name=f"run {text}")
        door.post("runs/log-parameter", {"run_id": run, "key": "lr", "value": text})
        made.append(run)
    door.run(run_name="bare")
    return made


def test_the_run_list_shows_params_as_they_were_logged(runs: list[str], person: SignIn) -> None:
    page = person("viewer").get(f"{RUNS}?c=p.lr")
    cells = [row.cells[0] for row in page.context["rows"]]
    assert {cell.value for cell in cells} == {*TEXTS, None}
    right = {cell.value for cell in cells if cell.is_number}
    assert right == {"-1", "-0.9", "1e-3", "0.9", "1.1", "1.10", "2", "10", "12345e67"}
    for text in ("1.10", "00123", "12345e67", "1_000"):
        assert re.search(rf">\s*{re.escape(text)}\s*<", page.content.decode()), text


def test_params_are_sorted_as_numbers_where_they_are(runs: list[str], person: SignIn) -> None:
    viewer, seen = person("viewer"), []
    for sort in ("p.lr", "-p.lr"):
        page = viewer.get(f"{RUNS}?c=p.lr&sort={sort}")
        assert page.status_code == 200
        seen.append([row.cells[0].value for row in page.context["rows"]])
    up, down = seen
    assert up[-1] is None
    assert down[-1] is None
    assert up[:-1] == list(NUMBERED)
    numbers = [text for text in NUMBERED if text not in ("1_000", "abc")]
    assert down[: len(numbers)] == numbers[::-1]


def test_clients_of_mlflow_get_the_order_of_text(runs: list[str], door: Door) -> None:
    body = {"experiment_ids": ["0"], "order_by": ["params.lr ASC"]}
    names = [run["info"]["run_name"] for run in door.post("runs/search", body)["runs"]]
    assert names == [*(f"run {text}" for text in sorted(TEXTS)), "bare"]


def test_a_comparison_shows_params_as_they_were_logged(runs: list[str], person: SignIn) -> None:
    page = person("viewer").get(f"/admin/compare/?{urlencode({'run': runs, 'all': 1}, doseq=True)}")
    line = next(line for line in page.context["lines"] if line.key == "p.lr")
    assert set(line.shown) <= {*TEXTS}
    assert line.differs
    for text in line.shown:
        assert f"{text}</td" in page.content.decode(), text


def test_unlike_texts_differ_in_a_comparison(door: Door, person: SignIn) -> None:
    pair = [door.run(), door.run()]
    for run, text in zip(pair, ("1.10", "1.1"), strict=True):
        door.post("runs/log-parameter", {"run_id": run, "key": "lr", "value": text})
    page = person("viewer").get(f"/admin/compare/?{urlencode({'run': pair}, doseq=True)}")
    (line,) = [line for line in page.context["lines"] if line.key == "p.lr"]
    assert line.shown == ("1.10", "1.1")
    assert line.values == (1.1, 1.1)


PLAIN = ("-1", "-0.9", "+5", "-1e-3", "-.5", "-12.")
FORMULAS = ("-1+1", "=1", "@x", "+1 555", "-", "--1", "-1|cmd", "+a", "\t1", "-\u0661", "-1\n", "-inf")


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_number_stays_one_in_a_table(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_what_could_be_a_formula_is_disarmed(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_the_list_as_a_table_has_the_texts(runs: list[str], person: SignIn) -> None:
    answer = person("viewer").get(f"{RUNS}?c=p.lr&format=csv")
    table = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert {row["params.lr"] for row in table} == {*TEXTS, ""}


NAMES = ("run (copy)", "keep 50%", "keep 500", "a_b", "axb", "it's", "model in prod", "a is b", "x, y", "Größe", "``")
FOUND = {
    "run (copy)": {"run (copy)"},
    "(copy": {"run (copy)"},
    "keep 50%": {"keep 50%"},
    "keep 50": {"keep 50%", "keep 500"},
    "a_b": {"a_b"},
    "%": {"keep 50%"},
    "_": {"a_b"},
    "it's": {"it's"},
    "model in prod": {"model in prod"},
    "is": {"a is b"},
    "x, y": {"x, y"},
    "GRÖSSE": set(),
    "größe": {"Größe"},
    "``": {"``"},
    "run_name = 'axb'": {"axb"},
    "attributes.run_name LIKE 'keep%' AND status = 'RUNNING'": {"keep 50%", "keep 500"},
}


@pytest.mark.parametrize("text", FOUND)
def test_a_text_that_is_no_filter_looks_for_names(door: Door, person: SignIn, text: str) -> None:
    for name in NAMES:
        door.run(run_name=name)
    page = person("viewer").get(f"{RUNS}?{urlencode({'q': text})}")
    assert not page.context["problem"]
    assert {row.run.name for row in page.context["rows"]} == FOUND[text]


def test_a_wrong_filter_is_a_problem_and_not_a_name(door: Door, person: SignIn) -> None:
    viewer = person("viewer")
    for text in ("metrics.auc >", "nonsense = 3", "run_name = unquoted"):
        assert viewer.get(f"{RUNS}?{urlencode({'q': text})}").context["problem"], text


def test_a_run_in_the_trash_says_so(door: Door, person: SignIn) -> None:
    run, viewer = door.run(), person("viewer")
    address = f"{RUNS}{run}/change/"
    assert b"the trash</a>" not in viewer.get(address).content
    door.post("runs/delete", {"run_id": run})
    assert b"the trash</a>" in viewer.get(address).content


def test_a_file_beyond_those_listed_is_there(door: Door, person: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MAX_FILES", 3)
    run, viewer = door.run(), person("viewer")
    blob = blobs.store([b"hello"])[0]
    for number in range(5):
        RunFile.objects.create(run_id=run, path=f"{number}.txt", blob=blob)
    page = viewer.get(f"{RUNS}{run}/change/?file=4.txt")
    assert page.context["preview"].text == "hello"
    assert page.context["file_count"] == 5
    assert b"There is no file of this name" not in page.content
    assert viewer.get(f"{RUNS}{run}/change/?file=9.txt").context["preview"] is None


TABLES = {
    "semicolons": (b"a;b\n1,5;2\n", ("a", "b"), ("1,5", "2"), 0),
    "commas": (b"a,b\n1;5,2\n", ("a", "b"), ("1;5", "2"), 0),
    "a byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", ("a", "b"), ("1", "2"), 0),
    "many columns": (b",".join([b"a"] * 50) + b"\n" + b",".join([b"1"] * 50), ("a",) * 40, ("1",) * 40, 10),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_as_it_was_written_and_says_what_it_hides(door: Door, person: SignIn, name: str) -> None:
    data, columns, first, hidden = TABLES[name]
    run = door.run()
    RunFile.objects.create(run_id=run, path="t.csv", blob=blobs.store([data])[0])
    page = person("viewer").get(f"{RUNS}{run}/change/?file=t.csv")
    shown = page.context["preview"]
    assert (shown.columns, shown.rows[0], shown.hidden_columns) == (columns, first, hidden)
    assert (b"columns are not shown" in page.content) == bool(hidden)
