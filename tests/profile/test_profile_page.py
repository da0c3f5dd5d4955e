"""The page, the pictures and the JSON of a profile: valid, self-contained, everything escaped."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from initlint.pipeline.asked import Report
from initlint.profile import page as pages
from initlint.profile.chart import chart
from initlint.profile.result import Profile
from initlint.profile.signals import WAYS, Row, Signals
from initlint.profile.svg import svg
from initlint.profile.written import as_record, write
from initlint.records import InitlintError, Unanalysed

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\n\x1b[31m\u202e"
VOID = {"meta", "img", "br", "hr", "input", "link"}


def rows(model="Net", name="fc", count=4, measured=True, **fields):
    def row(place):
        value = 0.5**place
        seen = (value * 1.1, value * 0.9) if measured else (None, None)
        bars = (value, value * 0.8, value * 1.25, 2.0 ** (place - count + 1))
        layer = f"{name}{place}"
        return Row(model, f"{layer}.weight", layer, "Linear", *bars, *seen, **fields)

    return tuple(map(row, range(count)))


def signals(model="Net", notes=("not measured: why",), **options):
    ways = {}
    for turn, way in enumerate(WAYS):
        ways[way] = rows(model, **options)[:]
        ways[way] = tuple(_scaled(row, 1 + turn) for row in ways[way])
    return Signals(model, ways, "the prediction assumes unit Gaussian data", notes)


def _scaled(row, factor):
    values = {name: getattr(row, name) for name in Row.__slots__}
    for name in ("predicted", "low", "high"):
        values[name] *= factor
    return Row(**values)


def profile(*models, report=None):
    return Profile(models or (signals(),), report or Report())


def page(found):
    return pages.page(found.models, found.report)


class Elements(HTMLParser):
    """All elements of a page; fails for one that is not closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_well_formed_and_loads_nothing():
    found = Elements(page(profile(signals("One"), signals("Two"))))
    tags = [tag for tag, _ in found.seen]
    assert tags[:3] == ["html", "head", "meta"] and tags.count("svg") == 2
    assert tags.count("script") == 1 and tags.count("main") == 1
    for _, attributes in found.seen:
        assert not {"src", "href", "onclick", "onload"} & set(attributes)
    assert "url(" not in page(profile()) and "@import" not in page(profile())


def test_the_table_has_a_cell_for_every_column():
    tables = re.findall(r"<table.*?</table>", page(profile()), re.S)
    assert len(tables) == 2
    for text in tables:
        heads = re.search(r"</tr>\n<tr><th.*?</tr>", text, re.S)[0]
        for row in re.findall(r"<tr><td.*?</tr>", text, re.S):
            assert row.count("<td") == heads.count("<th")


def test_signal_and_gradient_are_two_tables_so_that_both_fit_a_screen():
    first, second = re.findall(r"<table.*?</table>", page(profile()), re.S)
    assert "signal, present" in first and "gradient" not in first
    assert "gradient, present" in second and "signal" not in second


@pytest.mark.parametrize("where", ["model", "layer", "note", "gap", "reason"])
def test_hostile_names_are_escaped(where):
    model = signals(HOSTILE if where == "model" else "Net")
    if where == "layer":
        model = signals(name=HOSTILE)
    if where == "note":
        model = signals(notes=(HOSTILE,))
    if where == "reason":
        model = signals(relative_to=HOSTILE, gradient_relative_to=HOSTILE)
    gaps = (Unanalysed(HOSTILE, HOSTILE),) if where == "gap" else ()
    found = profile(model, report=Report(unanalysed=gaps))
    text = page(found)
    parsed = Elements(text)
    assert not any(tag == "img" for tag, _ in parsed.seen)
    assert sum(tag == "script" for tag, _ in parsed.seen) == 1
    assert not any(name.startswith("on") for _, attributes in parsed.seen for name in attributes)
    for shown in (text, str(found), found._repr_html_()):
        assert "\x1b" not in shown and "\u202e" not in shown
    Elements(found._repr_html_())


def test_the_drawing_is_well_formed_xml():
    for model in (signals(), signals(name=HOSTILE), signals(count=80), signals(count=1)):
        root = ET.fromstring(svg(chart(model)))
        assert root.tag == "svg"
        points = [e for e in root.iter("circle") if e.get("class") == "touch"]
        assert len(points) == 2 * 3 * len(model.rows["present"])


@pytest.mark.parametrize("value", [0.0, float("inf"), float("nan"), 1e-140, 1e140])
def test_extreme_numbers_are_drawn(value):
    model = signals()
    extreme = [Row("Net", "x", "x", "Linear", value, value, value, value, value, value)]
    ways = {way: (*rows, *extreme) for way, rows in model.rows.items()}
    found = profile(Signals("Net", ways, ""))
    text = page(found)
    assert "nan" not in svg(chart(found.models[0])) and "<svg" in text
    Elements(text)
    str(found)
    json.dumps(as_record(found), allow_nan=False)


def test_what_starts_again_is_not_joined():
    first, second = rows(count=2), rows(name="later", count=2, relative_to="fft is not known")
    model = Signals("Net", {"present": (*first, *second)}, "")
    drawn = svg(chart(model))
    assert drawn.count('class="line relative"') >= 1
    paths = re.findall(r'class="line(?: relative)?" d="M[^"]*L', drawn)
    assert len(paths) >= 2


def test_a_way_that_is_the_present_one_is_not_drawn():
    model = Signals("Net", dict.fromkeys(WAYS, rows()), "")
    found = chart(model)
    assert list(found.panels[0].lines) == ["present"]
    assert found.legend == {"present": "present (recommended, default: the same)"}


def test_no_model_and_no_layer():
    for found in (Profile(()), profile(Signals("Net", dict.fromkeys(WAYS, ()), "none"))):
        Elements(page(found))
        assert isinstance(str(found), str)


def test_json_has_every_row(tmp_path):
    write(profile(), str(tmp_path / "p.json"))
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["version"] == 1
    model = found["models"][0]
    assert set(model["rows"]) == set(WAYS) and len(model["rows"]["present"]) == 4
    row = model["rows"]["present"][1]
    assert row["parameter"] == "fc1.weight" and row["predicted"] == 0.5
    assert row["measured"] == pytest.approx(0.55) and row["relative_to"] == ""


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures(kind, tmp_path):
    pytest.importorskip("matplotlib")
    write(profile(signals("$\\frac$", name="$x$"), signals()), str(tmp_path / f"p.{kind}"))
    data = (tmp_path / f"p.{kind}").read_bytes()
    assert data.startswith(b"\x89PNG") if kind == "png" else b"<svg" in data


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InitlintError, match=r"pip install matplotlib") as error:
        profile().plot()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["p.txt", "p", "p.htm", "html"])
def test_other_kinds_of_files_are_refused(name, tmp_path):
    with pytest.raises(InitlintError, match=r"ends in \.html, \.png, \.svg, \.json"):
        write(profile(), str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "p.html").symlink_to(tmp_path / "kept")
    with pytest.raises(InitlintError, match="symbolic link"):
        profile().to_html(tmp_path / "p.html")
    assert (tmp_path / "kept").read_text() == "kept"


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
PRESSED = """<script>
const button = document.querySelector("th[data-column='2'] button");
button.click();
const cells = [...button.closest("table").querySelectorAll("td.layer")];
document.title = cells.map((c) => c.textContent).join();
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_in_a_browser_nothing_is_wrong_and_the_table_sorts(tmp_path):
    text = page(profile(signals(name="a<b>")))
    (tmp_path / "page.html").write_text(text)
    # The page's own policy would not let the test press a button.
    pressed = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", PRESSED)
    (tmp_path / "pressed.html").write_text(pressed)
    shown, said = dumped(tmp_path / "page.html")
    assert "CONSOLE" not in said and "<svg" in shown
    shown, said = dumped(tmp_path / "pressed.html")
    assert "CONSOLE" not in said
    order = ",".join(f"a&lt;b&gt;{place}" for place in (3, 2, 1, 0))
    assert re.search("<title>(.*?)</title>", shown)[1] == order


def dumped(path):
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command = [CHROMIUM, *options, f"--user-data-dir={path}.data", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout, done.stderr
