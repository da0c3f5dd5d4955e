"""`initlint server`: the features of the language server, over standard input and output."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from initlint import __version__
from initlint.records import InitlintError
from initlint.server import answers
from initlint.server.judgement import Judgement, gaps, judge

# Seconds without a key before the text is judged.
_PAUSE = 0.15
_KINDS = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]


class Server(LanguageServer):
    """The server, with the last judgement of each open document."""

    def __init__(self) -> None:
        super().__init__("initlint", __version__)
        self._judged: dict[str, Judgement] = {}
        self._said: set[str] = set()

    def judged(self, uri: str) -> Judgement | None:
        """The judgement of the document as it is now; None if there is none."""
        found = self._judged.get(uri)
        document = self.workspace.get_text_document(uri)
        return found if found and found.source == _source(document) else None

    def publish(self, uri: str) -> None:
        """Judge a document and publish its findings.

        While its text does not parse, the diagnostics stay as they are.
        """
        document = self.workspace.get_text_document(uri)
        texts = {d.path: _source(d) for d in self.workspace.text_documents.values() if d.path}
        try:
            judgement = judge(document.path, texts)
        except InitlintError as error:
            self._tell(str(error), types.MessageType.Error)
            return
        if judgement is None:
            return
        self._judged[uri] = judgement
        for reason in gaps(judgement):
            self._tell(f"not analysed: {reason}", types.MessageType.Info)
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri, answers.diagnostics(judgement), version=document.version
            )
        )

    def close(self, uri: str) -> None:
        """Forget a document and take its diagnostics back."""
        self._judged.pop(uri, None)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def _tell(self, text: str, kind: types.MessageType) -> None:
        """Write a message to the editor's log, once."""
        if text not in self._said:
            self._said.add(text)
            self.window_log_message(types.LogMessageParams(kind, f"initlint: {text}"))


def _source(document: TextDocument) -> bytes:
    return document.source.encode("utf-8", "surrogatepass")


def server() -> Server:
    """The server with its features."""
    made = Server()

    @made.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        made.publish(params.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        made.publish(params.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        uri, version = params.text_document.uri, params.text_document.version
        await asyncio.sleep(_PAUSE)
        # Of several changes in a row the last one counts, unless the document was closed.
        document = made.workspace.text_documents.get(uri)
        if document is not None and document.version == version:
            made.publish(uri)

    @made.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        made.close(params.text_document.uri)

    @made.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(_KINDS))
    def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        judgement = made.judged(uri)
        found = answers.actions(judgement, uri, params.range) if judgement else []
        return [action for action in found if _is_wanted(action, params.context.only)]

    @made.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        judgement = made.judged(params.text_document.uri)
        if judgement is None:
            return None
        column = answers.column_of(params.position, judgement)
        return answers.hover(judgement, params.position.line + 1, column)

    return made


def _is_wanted(action: types.CodeAction, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Whether an action is of one of the kinds that are asked for, which name beginnings."""
    kind = str(getattr(action.kind, "value", action.kind))
    wanted = [str(getattr(each, "value", each)) for each in only or ()]
    return not wanted or any(kind == each or kind.startswith(f"{each}.") for each in wanted)


def run() -> None:
    """Serve one editor until it ends the session."""
    server().start_io()
