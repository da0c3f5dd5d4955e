"""The language server with a real client over standard input and output."""

import asyncio
import sys

import pytest

pytest.importorskip("pygls")

from lsprotocol import types
from pygls.lsp.client import LanguageClient

NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.ä, self.𝔸 = nn.Linear(8, 8), 3
        self.b = nn.Linear(8, 8)
        self.out = nn.Linear(8, 8)
        self.first = nn.Linear(8, 8)

    def forward(self, x):
        return self.out(torch.relu(self.b(torch.relu(self.ä(self.first(x))))))
"""
WAIT = 20


class Editor(LanguageClient):
    """A client that keeps the diagnostics of each document, and what the server logs."""

    def __init__(self):
        super().__init__("test", "1")
        self.found = {}
        self.logged = []
        self.news = asyncio.Event()

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(params):
            self.found[params.uri] = list(params.diagnostics)
            self.news.set()

        @self.feature(types.WINDOW_LOG_MESSAGE)
        def logged(params):
            self.logged.append(params.message)
            self.news.set()

    async def next(self, uri):
        """The next diagnostics of a document."""
        await asyncio.wait_for(self.news.wait(), WAIT)
        self.news.clear()
        return self.found.get(uri)

    async def open(self, path, text):
        uri = path.as_uri()
        item = types.TextDocumentItem(uri, "python", 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri, await self.next(uri)

    def change(self, uri, version, text):
        document = types.VersionedTextDocumentIdentifier(version, uri)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def actions(self, uri, line, only=None):
        where = types.Range(types.Position(line, 0), types.Position(line, 0))
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(uri), where, types.CodeActionContext([], only)
        )
        return await self.text_document_code_action_async(params) or []

    async def hover(self, uri, line, character):
        document = types.TextDocumentIdentifier(uri)
        params = types.HoverParams(document, types.Position(line, character))
        return await self.text_document_hover_async(params)


def session(steps, folder, capabilities=None):
    """Runs the steps with an editor that is connected to a server."""

    async def whole():
        editor = Editor()
        await editor.start_io(sys.executable, "-m", "initlint", "server", cwd=folder)
        try:
            root = folder.as_uri()
            params = types.InitializeParams(
                capabilities or types.ClientCapabilities(), root_uri=root
            )
            answer = await editor.initialize_async(params)
            editor.initialized(types.InitializedParams())
            await steps(editor, answer)
            await editor.shutdown_async(None)
        finally:
            # The server ends with it, whether the steps went well or not.
            editor.exit(None)
            await editor.stop()

    asyncio.run(whole())


def applied(text, edits):
    """The text after the edits of the protocol, whose columns count UTF-16 units."""
    lines = text.splitlines(keepends=True)

    def offset(place):
        before = sum(map(len, lines[: place.line]))
        line = lines[place.line] if place.line < len(lines) else ""
        return before + len(line.encode("utf-16-le")[: 2 * place.character].decode("utf-16-le"))

    for edit in sorted(edits, key=lambda e: e.range.start.line, reverse=True):
        start, end = offset(edit.range.start), offset(edit.range.end)
        text = text[:start] + edit.new_text + text[end:]
    return text


def test_findings_while_typing(tmp_path):
    async def steps(editor, answer):
        assert answer.server_info.name == "initlint"
        uri, found = await editor.open(tmp_path / "net.py", NET)
        assert [(each.code, each.source) for each in found] == [("INIT101", "initlint")] * 2
        place = found[0].range
        # Two characters before the call, one of them two units long.
        column = len("        self.ä, self.𝔸 = ".encode("utf-16-le")) // 2
        assert (place.start.line, place.start.character) == (7, column)
        assert found[0].severity == types.DiagnosticSeverity.Warning
        editor.change(uri, 2, NET.replace("torch.relu", "torch.sin"))
        assert await editor.next(uri) == []
        # A text that does not parse leaves the diagnostics as they are.
        editor.change(uri, 3, "class Net(")
        editor.change(uri, 4, "# as before\n" + NET)
        found = await editor.next(uri)
        assert [each.range.start.line for each in found] == [8, 9]
        editor.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
        )
        assert await editor.next(uri) == []

    session(steps, tmp_path)


def test_fixes(tmp_path):
    async def steps(editor, answer):
        uri, found = await editor.open(tmp_path / "net.py", NET)
        actions = {action.title: action for action in await editor.actions(uri, 7)}
        fix, disable, every = (
            next(action for title, action in actions.items() if words in title)
            for words in ("write nn.init", "disable INIT101", "fix all")
        )
        assert fix.is_preferred and list(fix.diagnostics) == found[:1]
        text = applied(NET, fix.edit.changes[uri])
        assert text.count("kaiming_normal_(self.ä.weight") == 1 and "self.b.weight" not in text
        editor.change(uri, 2, text)
        assert [each.range.start.line for each in await editor.next(uri)] == [8]
        text = applied(NET, disable.edit.changes[uri])
        assert "nn.Linear(8, 8), 3  # noqa: INIT101\n" in text
        editor.change(uri, 3, text)
        assert [each.range.start.line for each in await editor.next(uri)] == [8]
        editor.change(uri, 4, applied(NET, every.edit.changes[uri]))
        assert await editor.next(uri) == []
        # The other line has its own fixes, the one after it only that of all findings.
        editor.change(uri, 5, NET)
        await editor.next(uri)
        assert len(await editor.actions(uri, 8)) == len(await editor.actions(uri, 7))
        (alone,) = await editor.actions(uri, 0, [types.CodeActionKind.SourceFixAll])
        assert alone.kind == "source.fixAll.initlint"

    session(steps, tmp_path)


RUN = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(64, 64)
        self.hidden = nn.ModuleList([nn.Linear(64, 64) for _ in range(5)])

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return x
"""


def test_a_fix_of_several_layers_says_how_many(tmp_path):
    async def steps(editor, answer):
        uri, _ = await editor.open(tmp_path / "net.py", RUN)
        titles = [action.title for action in await editor.actions(uri, 8)]
        assert any(title.endswith(" and for 4 more of this line") for title in titles)

    session(steps, tmp_path)


def test_hover(tmp_path):
    async def steps(editor, answer):
        uri, _ = await editor.open(tmp_path / "net.py", NET)
        said = (await editor.hover(uri, 8, 20)).contents.value
        assert said.startswith(
            "Net: b (Linear): relu follows; std 0.204, 0.41× what it needs; predicted "
        )
        # Anywhere on the line, as on the name that the layer is assigned to.
        assert (await editor.hover(uri, 8, 14)).contents.value == said
        assert said.endswith("\nINIT101: default-before-rectifier")
        said = (await editor.hover(uri, 9, 25)).contents.value
        assert "no rule reports it, because no activation follows" in said
        assert await editor.hover(uri, 0, 3) is None

    session(steps, tmp_path)


def test_a_hover_says_that_a_rule_is_off(tmp_path):
    async def steps(editor, answer):
        (tmp_path / "pyproject.toml").write_text('[tool.initlint]\nignore = ["INIT101"]\n')
        uri, found = await editor.open(tmp_path / "net.py", NET)
        assert found == []
        said = (await editor.hover(uri, 8, 20)).contents.value
        assert said.endswith("no rule reports it, because INIT101 is off here")

    session(steps, tmp_path)


def test_settings_baseline_and_comments_count(tmp_path):
    async def steps(editor, answer):
        settings = tmp_path / "pyproject.toml"
        settings.write_text('[tool.initlint]\nignore = ["INIT101"]\n')
        uri, found = await editor.open(tmp_path / "net.py", NET)
        assert found == []
        settings.write_text('[tool.initlint]\nextend-exclude = ["other"]\n')
        editor.change(uri, 2, NET.replace("nn.Linear(8, 8), 3", "nn.Linear(8, 8), 3  # noqa"))
        assert len(await editor.next(uri)) == 1
        settings.write_text("[tool.initlint]\nselct = 3\n")
        editor.change(uri, 3, NET)
        await editor.next(uri)
        assert any("there is no such key; did you mean select?" in line for line in editor.logged)
        settings.write_text("[tool.initlint]\n")
        editor.change(uri, 4, NET + "\n")
        assert len(await editor.next(uri)) == 2

    session(steps, tmp_path)


def test_nothing_of_the_file_is_run(tmp_path):
    async def steps(editor, answer):
        mark = tmp_path / "mark"
        text = f"open({str(mark)!r}, 'w').close()\n" + NET
        _, found = await editor.open(tmp_path / "net.py", text)
        assert len(found) == 2 and not mark.exists()

    session(steps, tmp_path)


@pytest.mark.parametrize("name", ["net.py", "größe mit raum.py"])
def test_names_of_files(tmp_path, name):
    async def steps(editor, answer):
        _, found = await editor.open(tmp_path / name, NET)
        assert len(found) == 2

    session(steps, tmp_path)


RESOLVING = types.ClientCapabilities(
    text_document=types.TextDocumentClientCapabilities(
        code_action=types.CodeActionClientCapabilities(
            resolve_support=types.ClientCodeActionResolveOptions(["edit"])
        )
    )
)


def test_an_editor_that_resolves_gets_the_edits_of_all_fixes_when_one_asks(tmp_path):
    async def steps(editor, answer):
        assert answer.capabilities.code_action_provider.resolve_provider
        uri, _ = await editor.open(tmp_path / "net.py", NET)
        (action,) = await editor.actions(uri, 0, [types.CodeActionKind.SourceFixAll])
        assert action.edit is None
        resolved = await editor.code_action_resolve_async(action)
        text = applied(NET, resolved.edit.changes[uri])
        editor.change(uri, 2, text)
        assert await editor.next(uri) == []

    session(steps, tmp_path, RESOLVING)


def test_edits_for_a_document_that_is_not_open_are_none(tmp_path):
    async def steps(editor, answer):
        uri, _ = await editor.open(tmp_path / "net.py", NET)
        (action,) = await editor.actions(uri, 0, [types.CodeActionKind.SourceFixAll])
        action.data = (tmp_path / "elsewhere.py").as_uri()
        resolved = await editor.code_action_resolve_async(action)
        assert resolved.edit is not None and not resolved.edit.changes

    session(steps, tmp_path, RESOLVING)


def test_a_document_that_is_too_large_is_not_parsed_and_said(tmp_path):
    async def steps(editor, answer):
        _, found = await editor.open(tmp_path / "data.py", f"DATA = [{'1, ' * 250_000}]\n")
        (said,) = editor.logged
        assert not found and "which is data, not code" in said

    session(steps, tmp_path)


FILLED = """from torch import nn

from net import Net

model = Net()
for name in ("ä", "b"):
    nn.init.kaiming_normal_(getattr(model, name).weight, nonlinearity="relu")
"""
LOUD = """from torch import nn

from net import Net

model = Net()
nn.init.normal_(model.out.weight, std=3.0)
nn.init.normal_(model.b.weight, std=3.0)
"""


def test_what_other_files_decide_is_kept_while_typing(tmp_path):
    """They are read when a file is opened and saved."""

    async def steps(editor, answer):
        (tmp_path / "pyproject.toml").write_text("")
        run, net = tmp_path / "run.py", tmp_path / "net.py"
        net.write_text(NET)
        run.write_text(FILLED)
        uri, found = await editor.open(net, NET)
        assert found == []
        editor.change(uri, 2, "# more\n" + NET)
        assert await editor.next(uri) == []
        run.write_text(LOUD)
        saved = types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri))
        editor.text_document_did_save(saved)
        whole = await editor.next(uri)
        assert "INIT106" in {each.code for each in whole}
        editor.change(uri, 3, "# more\n# and more\n" + NET)
        typed = await editor.next(uri)
        places = sorted((each.code, each.range.start.line - 1) for each in typed)
        assert places == sorted((each.code, each.range.start.line) for each in whole)
        # What is new in the file itself is told at once.
        editor.change(uri, 4, NET + "\n\n" + NET.replace("class Net", "class Other"))
        assert len(await editor.next(uri)) > len(whole)

    session(steps, tmp_path)
