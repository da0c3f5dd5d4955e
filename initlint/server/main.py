"""`initlint server`: the features of the language server, over standard input and output."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from initlint import __version__
from initlint.records import InitlintError
from initlint.server import answers
from initlint.server.judgement import Beside, Judgement, beside, gaps, judge

# Seconds without a key before the text is judged.
_PAUSE = 0.02
_KINDS = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]


class Server(LanguageServer):
    """The server, with the last judgement of each open document."""

    def __init__(self) -> None:
        super().__init__("initlint", __version__)
        self._judged: dict[str, Judgement] = {}
        self._beside: dict[str, Beside] = {}
        self._said: set[str] = set()

    def judged(self, uri: str) -> Judgement | None:
        """The judgement of the document as it is now; None if there is none."""
        found = self._judged.get(uri)
        document = self.workspace.get_text_document(uri)
        return found if found and found.source == _source(document) else None

    def publish(self, uri: str, typed: bool = False) -> None:
        """Judge a document and publish its findings.

        With `typed` other files are not read again, if they have been. While the text does not
        parse, the diagnostics stay as they are.
        """
        document = self.workspace.get_text_document(uri)
        try:
            judgement = self._judge(document, typed)
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
        _tidy(whole=judgement.is_whole)

    def _judge(self, document: TextDocument, typed: bool) -> Judgement | None:
        texts = {d.path: _source(d) for d in self.workspace.text_documents.values() if d.path}
        known = self._beside.get(document.uri) if typed else None
        judgement = judge(document.path, texts, known)
        if judgement is not None and known is None:
            self._beside[document.uri] = beside(judgement, texts)
        return judgement

    def fix_all(self, uri: str) -> types.WorkspaceEdit:
        """The edits of all safe fixes of an open document, for which the whole project is read."""
        if uri not in self.workspace.text_documents:
            return answers.fix_all(None, uri)
        found = self.judged(uri)
        if found is None or not found.is_whole:
            found = self._judge(self.workspace.get_text_document(uri), typed=False)
        if found is not None:
            self._judged[uri] = found
        return answers.fix_all(found, uri)

    def has_edits(self, action: types.CodeAction) -> bool:
        """Give an action its edits if it has none yet; whether there is anything to edit."""
        if action.edit is None and isinstance(action.data, str):
            action.edit = self.fix_all(action.data)
        return bool(action.edit and action.edit.changes)

    @property
    def resolves(self) -> bool:
        """Whether the editor asks for the edits of an action once one chooses it."""
        asked = self.client_capabilities.text_document
        support = asked.code_action.resolve_support if asked and asked.code_action else None
        return support is not None and "edit" in support.properties

    def close(self, uri: str) -> None:
        """Forget a document and take its diagnostics back."""
        self._judged.pop(uri, None)
        self._beside.pop(uri, None)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def _tell(self, text: str, kind: types.MessageType) -> None:
        """Write a message to the editor's log, once."""
        if text not in self._said:
            self._said.add(text)
            self.window_log_message(types.LogMessageParams(kind, f"initlint: {text}"))


def _tidy(whole: bool) -> None:
    """Collect the garbage once an answer is out: the command line has turned the collector off.

    What a whole judgement leaves stays for the next ones, which then need not look through it.
    """
    if whole:
        gc.unfreeze()
    gc.collect()
    if whole:
        gc.freeze()


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
            made.publish(uri, typed=True)

    @made.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        made.close(params.text_document.uri)

    @made.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(_KINDS, resolve_provider=True)
    )
    def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        judgement = made.judged(uri)
        found = answers.actions(judgement, uri, params.range) if judgement else []
        wanted = [action for action in found if _is_wanted(action, params.context.only)]
        return wanted if made.resolves else list(filter(made.has_edits, wanted))

    @made.feature(types.CODE_ACTION_RESOLVE)
    def resolve(action: types.CodeAction) -> types.CodeAction:
        made.has_edits(action)
        return action

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
