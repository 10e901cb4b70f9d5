"""
What a load balancer's rule can say of what a gateway route says.

Pure. Service Connect has no gateway, so whoever lets requests in tells them apart. An Application Load Balancer's rule
looks at path, host, headers, query and method, also by regular expression, and rewrites path and host; a Network Load
Balancer looks at nothing.

Source: Elastic Load Balancing API 2015-12-01, RuleCondition and RuleTransform; App Mesh API reference,
HttpGatewayRouteMatch, GrpcGatewayRouteMatch and their rewrites.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crossfade.mesh.model import GatewayRoute
from crossfade.mesh.tree import Tree

_KINDS = ("httpRoute", "http2Route", "grpcRoute")


@dataclass(frozen=True, slots=True)
class Entrance:
    """
    A rule in words: what it asks of a request, how it rewrites it, and what of the gateway route it cannot ask.

    A rule that asks nothing takes every request.
    """

    asks: tuple[str, ...]
    rewrites: tuple[str, ...]
    cannot_ask: tuple[str, ...]

    def in_words(self) -> str:
        """Return what the rule must be."""
        asked = self.conditions_in_words()
        return f"{asked}, with {' and '.join(self.rewrites)}" if self.rewrites else asked

    def conditions_in_words(self) -> str:
        """Return what the rule must ask for."""
        return " and ".join(self.asks) or "the listener's default action"


def asked_besides(match: Tree) -> tuple[str, ...]:
    """Return what a match asks of method, query and headers, as a rule says it, without what no rule can."""
    return tuple(_fields(match))


def entrance(route: GatewayRoute) -> Entrance:
    """Return the rule of an Application Load Balancer that does what a gateway route does."""
    for kind in _KINDS:
        found = Tree(route.spec, route.place) / kind
        if found:
            match = found / "match"
            asks = (*_paths(match), *_hosts(match), *_fields(match))
            return Entrance(asks, tuple(_rewrites(found / "action" / "rewrite", match)), tuple(_beyond(match)))
    return Entrance((), (), ())


def _paths(match: Tree) -> Iterator[str]:
    prefix = (match / "prefix").text_or_none()
    if prefix not in (None, "/"):
        yield f"path-pattern {prefix}*"
    path = match / "path"
    if path / "exact":
        yield f"path-pattern {(path / 'exact').text()}"
    if path / "regex":
        yield f"path-pattern by the regular expression {(path / 'regex').text()}"
    if match / "serviceName":
        yield f"path-pattern /{(match / 'serviceName').text()}/*"


def _hosts(match: Tree) -> Iterator[str]:
    hostname = match / "hostname"
    if hostname / "exact":
        yield f"host-header {(hostname / 'exact').text()}"
    if hostname / "suffix":
        yield f"host-header *{(hostname / 'suffix').text()}"


def _fields(match: Tree) -> Iterator[str]:
    if match / "method":
        yield f"http-request-method {(match / 'method').text()}"
    for each in match / "queryParameters":
        value = (each / "match" / "exact").text_or_none()
        yield f"query-string {(each / 'name').text()}={value or '*'}"
    for each in _headers(match):
        if not _is_beyond(each):
            yield f"http-header {(each / 'name').text()} {_pattern(each / 'match')}"


def _headers(match: Tree) -> Iterator[Tree]:
    yield from match / "headers"
    yield from match / "metadata"


def _pattern(match: Tree) -> str:
    if match / "regex":
        return f"by the regular expression {(match / 'regex').text()}"
    if match / "prefix":
        return f"{(match / 'prefix').text()}*"
    if match / "suffix":
        return f"*{(match / 'suffix').text()}"
    return (match / "exact").text_or_none() or "*"


def _is_beyond(header: Tree) -> bool:
    return (header / "invert").truth(default=False) or bool(header / "match" / "range")


def cannot_ask(match: Tree) -> bool:
    """Return whether a match asks for something that no rule can."""
    return next(_beyond(match), None) is not None


def _beyond(match: Tree) -> Iterator[str]:
    """Yield what no rule can ask: that a header is not so, that it lies within a range, or the port."""
    for each in _headers(match):
        name = (each / "name").text()
        if (each / "invert").truth(default=False):
            yield f"that the header {name} does not match"
        elif each / "match" / "range":
            yield f"that the header {name} lies within a range"
    if match / "port":
        yield f"that it came by port {(match / 'port').text()}"


def _rewrites(rewrite: Tree, match: Tree) -> Iterator[str]:
    """Yield the transforms; App Mesh strips a matched prefix and sets the host unless told otherwise."""
    prefix = (match / "prefix").text_or_none()
    value = (rewrite / "prefix" / "value").text_or_none()
    stripped = (rewrite / "prefix" / "defaultPrefix").text_or_none() != "DISABLED"
    if rewrite / "path" / "exact":
        yield f"a url-rewrite to {(rewrite / 'path' / 'exact').text()}"
    elif prefix is not None and (value is not None or (stripped and prefix != "/")):
        yield f"a url-rewrite of ^{re.escape(prefix)} to {value or '/'}"
