"""Types that hold formatted text: markdown, html and richtext.

HTML is cleaned before it is stored and once more when it is shown, so that neither a script written by SQL
nor a rule that grew stricter leaves a hole.
"""

from __future__ import annotations

import html
import re
from typing import Any

import nh3
from markdown_it import MarkdownIt

from apps.objects.definitions import FieldDef
from apps.objects.kinds.kind import KINDS
from apps.objects.kinds.problem import AcceptContext
from apps.objects.kinds.text import TextareaKind

RICH_TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h2",
        "h3",
        "h4",
        "hr",
        "i",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "span",
        "strong",
        "sub",
        "sup",
        "u",
        "ul",
    ]
)
TAGS = RICH_TAGS | frozenset(
    [
        "abbr",
        "caption",
        "col",
        "colgroup",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "h1",
        "h5",
        "h6",
        "kbd",
        "mark",
        "q",
        "small",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
    ]
)
ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
SCHEMES = {"http", "https", "mailto", "tel"}
SPACES = re.compile(r"\s+")
_markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])


def cleaned(text: str, tags: frozenset[str] = TAGS) -> str:
    """Return HTML without scripts, styles, pictures, forms and links other than web, mail and telephone."""
    attributes = {tag: names for tag, names in ATTRIBUTES.items() if tag in tags or tag == "*"}
    return nh3.clean(
        text,
        tags=set(tags),
        attributes=attributes,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )


def rendered(text: str) -> str:
    """Return Markdown (CommonMark with tables and strikethrough) as clean HTML; HTML inside it is shown as text."""
    return cleaned(_markdown.render(text))


def words(markup: str) -> str:
    """Return the plain words of HTML, on one line."""
    return SPACES.sub(" ", html.unescape(nh3.clean(markup.replace("<", " <"), tags=set()))).strip()


class MarkdownKind(TextareaKind):
    """Text in Markdown, stored as written; HTML inside it is shown as text."""

    name = "markdown"
    nestable = False
    example = "**Bold** and a [link](https://example.com)"
    widget = "markdown"
    cell = "markdown"

    def from_text(self, field: FieldDef, text: str) -> Any:
        return text if text.strip() else None


class HtmlKind(TextareaKind):
    """HTML, cleaned when it is written: no scripts, styles, pictures or forms."""

    name = "html"
    nestable = False
    maskable = False
    example = "<p>One <b>bold</b> word.</p>"
    widget = "html"
    cell = "html"
    tags = TAGS

    def parse(self, field: FieldDef, raw: Any, context: AcceptContext) -> str:
        text = super().parse(field, raw, context)  # the length is judged before the text is worked on
        return super().parse(field, cleaned(text, self.tags), context)


class RichtextKind(HtmlKind):
    """What an editor makes: headings, lists, quotes, links and emphasis; other HTML is taken off."""

    name = "richtext"
    widget = "richtext"
    tags = RICH_TAGS


for _kind in (MarkdownKind(), HtmlKind(), RichtextKind()):
    KINDS.register(_kind.name, _kind)
