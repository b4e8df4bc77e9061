"""A pygls server that does nothing, as its documentation starts one."""

from pygls.lsp.server import LanguageServer

LanguageServer("bare", "1").start_io()
