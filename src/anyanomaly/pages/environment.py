"""The templates of all pages, and what every page keeps to: it escapes every text and requests nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from anyanomaly.pages.text import clock_time, page_text, score_text, script_json


@cache
def page_environment(package: str = "anyanomaly.pages") -> Environment:
    """Return the environment of the templates in ``package``, which also sees those of this package.

    Autoescape is on, an unknown name is an error, and every text passes `page_text`. Filters: ``clock`` (seconds as
    h:mm:ss.s), ``score`` (two decimals), ``script_json`` (for a script element of type ``application/json``).
    """
    packages = dict.fromkeys((package, "anyanomaly.pages"))
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"clock": clock_time, "score": score_text, "script_json": _script_json}
    return environment


def render_page(
    template: str,
    *,
    package: str = "anyanomaly.pages",
    scripts: Sequence[str] = (),
    reads_pictures: bool = False,
    **values: Any,
) -> str:
    """Return a page whose template extends ``base.html.j2``.

    :param template: file name. :param package: where it is, besides this package. :param scripts: sources that the page
        runs, in order; no other script runs. :param reads_pictures: it shows picture files beside it; otherwise its
        pictures are data URIs. :param values: for the template.
    """
    return (
        page_environment(package)
        .get_template(template)
        .render(
            policy=content_security_policy(scripts, reads_pictures=reads_pictures),
            style=Markup(read_asset("style.css") + read_asset("evidence.css")),
            scripts=[Markup(script) for script in scripts],
            **values,
        )
    )


def content_security_policy(scripts: Sequence[str], *, reads_pictures: bool = False) -> str:
    """Return a policy that allows these scripts, styles in the page, pictures, and media beside it; no other request.

    :param reads_pictures: pictures may be files beside the page.
    """
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts) or "'none'"
    pictures = "data: 'self' file:" if reads_pictures else "data:"
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src {pictures}; "
        f"media-src 'self' file: data: blob:; base-uri 'none'; form-action 'none'"
    )


def read_asset(name: str, package: str = "anyanomaly.pages") -> str:
    """Return the text of a file in the templates of a package, such as a script."""
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


def _finalize(value: object) -> object:
    return page_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _script_json(value: Any) -> Markup:
    return Markup(script_json(value))


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
