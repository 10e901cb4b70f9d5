"""
Terraform's expressions: parsed, and evaluated as far as a scope can answer.

Pure. python-hcl2 reads the blocks of a file and leaves expressions as text; this module reads that text. What is not
known is an `Unknown`, a text that says why; it travels through templates and `jsonencode` unharmed and is refused where
a decision would have to be made on it.

Source: Terraform Language, "Expressions" and "Functions"; HCL Native Syntax Specification.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from crossfade.mesh.intrinsics import Unknown, Unresolved, fit

_DEEPEST: Final = 60


class Scope(Protocol):
    """What surrounds an expression."""

    def name(self, root: str) -> object:
        """Return what a bare name stands for, such as `var` or `each`; raises Unresolved when there is none."""

    def call(self, function: str, arguments: Sequence[object]) -> object:
        """Return what a function gives; raises Unresolved when it cannot be told."""


Node = Callable[[Scope], object]


class JsonText(str):
    """What `jsonencode` made, with the data it was made of."""

    __slots__ = ("data",)
    data: object


@dataclass(frozen=True, slots=True)
class Local:
    """A scope with a few names more, as `for` and `templatefile` need."""

    names: Mapping[str, object]
    around: Scope

    def name(self, root: str) -> object:
        return self.names[root] if root in self.names else self.around.name(root)

    def call(self, function: str, arguments: Sequence[object]) -> object:
        return self.around.call(function, arguments)


# ------------------------------------------------------------------------------ words

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\r\n]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
  | (?P<op>\.\.\.|=>|==|!=|<=|>=|&&|\|\||[-+*/%!<>?:=.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_HEREDOC: Final = re.compile(r"<<(-?)([A-Za-z_][\w-]*)\r?\n(.*?)\n[ \t]*\2(?![\w-])", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class _Word:
    kind: str
    text: str
    template: Node | None = None


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    at = 0
    while at < len(text):
        if text[at] == '"':
            end = _end_of_string(text, at)
            words.append(_Word("text", "", template(text[at + 1 : end - 1], escapes=True)))
            at = end
            continue
        if heredoc := _HEREDOC.match(text, at):
            words.append(_Word("text", "", template(_heredoc(heredoc), escapes=False)))
            at = heredoc.end()
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unresolved(f"an expression is not readable at {text[at : at + 20]!r}")
        if match.lastgroup != "space":
            words.append(_Word(str(match.lastgroup), match[0]))
        at = match.end()
    return words


def _heredoc(match: re.Match[str]) -> str:
    lines = (match[3] + "\n").splitlines(keepends=True)
    if match[1]:
        margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
        lines = [line[margin:] for line in lines]
    return "".join(lines)


def _end_of_string(text: str, start: int) -> int:
    at = start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text.startswith(("${", "%{"), at) and not text.startswith(("$${", "%%{"), at - 1):
            at = _end_of_hole(text, at)
        elif text[at] == '"':
            return at + 1
        else:
            at += 1
    raise Unresolved("a text does not end")


def _end_of_hole(text: str, start: int) -> int:
    depth, at = 0, start + 1
    while at < len(text):
        if text[at] == '"':
            at = _end_of_string(text, at)
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at
    raise Unresolved("a template does not end")


# -------------------------------------------------------------------------- templates


@dataclass(slots=True)
class _Block:
    """A `%{ if }` or `%{ for }` that is open while a template is read."""

    words: str
    parts: list[Node] = field(default_factory=list)
    otherwise: list[Node] | None = None

    def add(self, part: Node) -> None:
        (self.parts if self.otherwise is None else self.otherwise).append(part)


def template(text: str, *, escapes: bool) -> Node:
    """
    Return a template: text with `${…}` and `%{…}` in it.

    Args:
        text: Without quotes around it.
        escapes: Whether backslashes escape, as they do between quotes.
    """
    root = _Block("")
    open_blocks = [root]
    at = 0
    literal: list[str] = []

    def flush() -> None:
        if literal:
            said = "".join(literal)
            open_blocks[-1].add(lambda _scope: said)
            literal.clear()

    while at < len(text):
        if text.startswith(("$${", "%%{"), at):
            literal.append(text[at + 1 : at + 3])
            at += 3
        elif text.startswith("${", at):
            flush()
            end = _end_of_hole(text, at)
            open_blocks[-1].add(parse(text[at + 2 : end - 1].strip().strip("~")))
            at = end
        elif text.startswith("%{", at):
            flush()
            end = _end_of_hole(text, at)
            _directive(text[at + 2 : end - 1].strip("~ \t\n"), open_blocks)
            at = end
        elif escapes and text[at] == "\\" and at + 1 < len(text):
            literal.append(_ESCAPES.get(text[at + 1], text[at : at + 2]))
            at += 2
        else:
            literal.append(text[at])
            at += 1
    flush()
    if len(open_blocks) > 1:
        raise Unresolved("a template's directive does not end")
    return _joined(root.parts)


def _directive(words: str, open_blocks: list[_Block]) -> None:
    kind = words.split(None, 1)[0] if words else ""
    if kind in ("if", "for"):
        open_blocks.append(_Block(words))
    elif kind == "else" and len(open_blocks) > 1:
        open_blocks[-1].otherwise = []
    elif kind in ("endif", "endfor") and len(open_blocks) > 1:
        block = open_blocks.pop()
        open_blocks[-1].add(_finished(block))
    else:
        raise Unresolved(f"%{{{words}}} is no directive")


def _finished(block: _Block) -> Node:
    body, otherwise = _joined(block.parts), _joined(block.otherwise or [])
    kind, _, rest = block.words.partition(" ")
    if kind == "if":
        condition = parse(rest)
        return lambda scope: body(scope) if truth(condition(scope)) else otherwise(scope)
    names, _, source = rest.partition(" in ")
    given = [each.strip() for each in names.split(",")]
    items = parse(source)

    def repeat(scope: Scope) -> object:
        said = [body(Local(_bound(given, key, value), scope)) for key, value in pairs(items(scope))]
        return concatenated(said)

    return repeat


def _joined(parts: Sequence[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    return lambda scope: concatenated([part(scope) for part in parts])


def concatenated(parts: Sequence[object]) -> str:
    """Return the parts as one text; it is unknown when a part is."""
    parts = [plain(part) for part in parts]
    texts = [in_text(part) for part in parts]
    fit(sum(len(text) for text in texts))
    said = "".join(texts)
    why = next((part.why for part in parts if isinstance(part, Unknown)), None)
    return said if why is None else Unknown(said, why)


def in_text(value: object) -> str:
    """Return a value as it stands in a template."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise Unresolved(f"a text was expected, not {'nothing' if value is None else type(value).__name__}")


# -------------------------------------------------------------------------- the parser

_BINARY: Final = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))


def parse(text: str) -> Node:
    """
    Return an expression, ready to be evaluated.

    Raises:
        Unresolved: it is no expression of Terraform's, or is nested deeper than any.
    """
    parser = _Parser(_words(text))
    node = parser.expression()
    parser.end()
    return node


class _Parser:
    def __init__(self, words: list[_Word]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0

    def end(self) -> None:
        if self._at < len(self._words):
            raise Unresolved(f"an expression goes on after its end: {self._words[self._at].text!r}")

    def _peek(self, ahead: int = 0) -> _Word:
        at = self._at + ahead
        return self._words[at] if at < len(self._words) else _Word("end", "")

    def _take(self, *ops: str) -> bool:
        if self._peek().kind == "op" and self._peek().text in ops:
            self._at += 1
            return True
        return False

    def _need(self, op: str) -> None:
        if not self._take(op):
            raise Unresolved(f"{op} was expected in an expression, not {self._peek().text!r}")

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unresolved("an expression is nested too deep")
        condition = self._binary(0)
        if self._take("?"):
            then = self.expression()
            self._need(":")
            otherwise = self.expression()
            self._depth -= 1
            return lambda scope: then(scope) if truth(condition(scope)) else otherwise(scope)
        self._depth -= 1
        return condition

    def _binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek().kind == "op" and self._peek().text in _BINARY[level]:
            op = self._peek().text
            self._at += 1
            left = _operation(op, left, self._binary(level + 1))
        return left

    def _unary(self) -> Node:
        if self._take("!"):
            operand = self._unary()
            return lambda scope: not truth(operand(scope))
        if self._take("-"):
            negated = self._unary()
            return lambda scope: -number(negated(scope))
        return self._postfix(self._primary())

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._take("."):
                if self._take("*"):
                    return self._splat(node)
                word = self._peek()
                self._at += 1
                if word.kind == "number":
                    node = _index(node, _constant(int(float(word.text))))
                elif word.kind == "name":
                    node = _index(node, _constant(word.text))
                else:
                    raise Unresolved("a name was expected after a dot")
            elif self._peek().text == "[" and self._peek().kind == "op":
                self._at += 1
                if self._take("*"):
                    self._need("]")
                    return self._splat(node)
                key = self.expression()
                self._need("]")
                node = _index(node, key)
            else:
                return node

    def _splat(self, node: Node) -> Node:
        rest = self._postfix(lambda scope: scope.name("*"))

        def every(scope: Scope) -> object:
            found = node(scope)
            listed = [] if found is None else _items(found)
            return [plain(rest(Local({"*": each}, scope))) for each in listed]

        return every

    def _primary(self) -> Node:
        word = self._peek()
        self._at += 1
        if word.template is not None:
            return word.template
        if word.kind == "number":
            value = float(word.text)
            return _constant(int(value) if value.is_integer() else value)
        if word.kind == "name":
            return self._named(word.text)
        if word.text == "(":
            node = self.expression()
            self._need(")")
            return node
        if word.text == "[":
            return self._list()
        if word.text == "{":
            return self._object()
        raise Unresolved(f"an expression was expected, not {word.text!r}")

    def _named(self, name: str) -> Node:
        if name in ("true", "false", "null"):
            return _constant({"true": True, "false": False, "null": None}[name])
        if not self._take("("):
            return lambda scope: scope.name(name)
        arguments: list[Node] = []
        spread = False
        while not self._take(")"):
            arguments.append(self.expression())
            spread = self._take("...")
            if not self._take(","):
                self._need(")")
                break
        return _call(name, arguments, spread=spread)

    def _list(self) -> Node:
        if self._peek().text == "for" and self._peek().kind == "name":
            return self._for("]")
        items: list[Node] = []
        while not self._take("]"):
            items.append(self.expression())
            if not self._take(","):
                self._need("]")
                break
        return lambda scope: [plain(item(scope)) for item in items]

    def _object(self) -> Node:
        if self._peek().text == "for" and self._peek().kind == "name" and self._peek(1).kind == "name":
            return self._for("}")
        entries: list[tuple[Node, Node]] = []
        while not self._take("}"):
            word, after = self._peek(), self._peek(1)
            if word.kind == "name" and after.text in ("=", ":"):
                self._at += 1
                key: Node = _constant(word.text)
            else:
                key = self.expression()
            if not self._take("=", ":"):
                raise Unresolved("= was expected in an object")
            entries.append((key, self.expression()))
            self._take(",")
        return lambda scope: {in_text(plain(key(scope))): plain(value(scope)) for key, value in entries}

    def _for(self, end: str) -> Node:
        self._at += 1
        names = [self._peek().text]
        self._at += 1
        while self._take(","):
            names.append(self._peek().text)
            self._at += 1
        if self._peek().text != "in":
            raise Unresolved("in was expected in a for expression")
        self._at += 1
        source = self.expression()
        self._need(":")
        key = self.expression()
        value = self.expression() if end == "}" and self._take("=>") else None
        grouped = self._take("...")
        condition: Node | None = None
        if self._peek().text == "if":
            self._at += 1
            condition = self.expression()
        self._need(end)

        def each(scope: Scope) -> Iterator[Scope]:
            for at, item in pairs(source(scope)):
                inner = Local(_bound(names, at, item), scope)
                if condition is None or truth(condition(inner)):
                    yield inner

        if end == "]" or value is None:
            return lambda scope: [plain(key(inner)) for inner in each(scope)]

        def mapped(scope: Scope) -> object:
            assert value is not None
            found: dict[str, object] = {}
            for inner in each(scope):
                name, item = in_text(plain(key(inner))), plain(value(inner))
                found[name] = [*_items(found.get(name, [])), item] if grouped else item
            return found

        return mapped


def _bound(names: Sequence[str], key: object, value: object) -> Mapping[str, object]:
    return {names[0]: value} if len(names) == 1 else {names[0]: key, names[1]: value}


def _constant(value: object) -> Node:
    return lambda _scope: value


def _call(name: str, arguments: Sequence[Node], *, spread: bool) -> Node:
    if name in ("try", "can"):
        return lambda scope: _attempt(name, arguments, scope)

    def called(scope: Scope) -> object:
        given = [plain(argument(scope)) for argument in arguments]
        if spread:
            given = [*given[:-1], *_items(given[-1])]
        return scope.call(name, given)

    return called


def _attempt(name: str, arguments: Sequence[Node], scope: Scope) -> object:
    failure: Unresolved | None = None
    for argument in arguments:
        try:
            value = plain(argument(scope))
        except Unresolved as error:
            failure = error
            continue
        return True if name == "can" else value
    if name == "can":
        return False
    raise failure or Unresolved("try needs an argument")


def _index(node: Node, key: Node) -> Node:
    return lambda scope: part(node(scope), key(scope))


def part(value: object, key: object) -> object:
    """
    Return what lies under a key or an index.

    Raises:
        Unresolved: there is nothing.
    """
    lookup = getattr(value, "part", None)
    if lookup is not None:
        return lookup(key)
    if isinstance(value, Unknown):
        raise value.why
    if isinstance(value, Mapping) and in_text(key) in value:
        return value[in_text(key)]
    if isinstance(value, list) and isinstance(key, int | float | str) and str(key).lstrip("-").isdigit():
        at = int(key)
        if -len(value) <= at < len(value):
            return value[at]
    raise Unresolved(f"there is nothing under {key}")


def plain(value: object) -> object:
    """Return a value itself, references as the plain values they stand for."""
    whole = getattr(value, "whole", None)
    return whole() if whole is not None else value


def truth(value: object) -> bool:
    """Return a value as true or false; raises Unresolved when it is neither or not known."""
    value = plain(value)
    if isinstance(value, Unknown):
        raise value.why
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise Unresolved("true or false was expected")


def number(value: object) -> float:
    """Return a value as a number; raises Unresolved when it is none or not known."""
    value = plain(value)
    if isinstance(value, Unknown):
        raise value.why
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value) if "." in value else int(value)
    raise Unresolved("a number was expected")


def pairs(value: object) -> list[tuple[object, object]]:
    """Return the keys and values of a map, or the indices and items of a list; raises Unresolved for anything else."""
    value = plain(value)
    if isinstance(value, Unknown):
        raise value.why
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, list):
        return list(enumerate(value))
    raise Unresolved("a list or a map was expected")


def _items(value: object) -> list[object]:
    value = plain(value)
    if isinstance(value, Unknown):
        raise value.why
    if isinstance(value, list):
        return value
    return [value]


def _operation(op: str, left: Node, right: Node) -> Node:
    if op == "||":
        return lambda scope: truth(left(scope)) or truth(right(scope))
    if op == "&&":
        return lambda scope: truth(left(scope)) and truth(right(scope))
    if op in ("==", "!="):
        return lambda scope: _same(left(scope), right(scope)) == (op == "==")
    compute = _ARITHMETIC[op]
    return lambda scope: compute(number(left(scope)), number(right(scope)))


def _same(left: object, right: object) -> bool:
    left, right = plain(left), plain(right)
    for value in (left, right):
        if isinstance(value, Unknown):
            raise value.why
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _divided(left: float, right: float) -> float:
    if right == 0:
        raise Unresolved("a division by zero")
    found = left / right
    return int(found) if float(found).is_integer() else found


def _rest(left: float, right: float) -> float:
    if right == 0:
        raise Unresolved("a division by zero")
    return left % right


_ARITHMETIC: Final[Mapping[str, Callable[[float, float], object]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divided,
    "%": _rest,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}
