"""The page of routes at `/docs`."""

from __future__ import annotations

from html import escape
from typing import Any


def api_page(schema: dict[str, Any]) -> str:
    """The routes of an OpenAPI schema as one HTML page that loads nothing.

    FastAPI's own page loads its scripts from another site, which an office may not reach.
    """
    parts = []
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            fields = [
                f"<li><code>{escape(field['name'])}</code> {escape(field.get('description', ''))}</li>"
                for field in route.get("parameters", [])
            ]
            body = route.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            model = schema.get("components", {}).get("schemas", {}).get(body.get("$ref", "").rsplit("/", 1)[-1], {})
            fields += [
                f"<li><code>{escape(name)}</code> {escape(field.get('description', ''))}</li>"
                for name, field in model.get("properties", {}).items()
            ]
            parts.append(
                f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(route.get('summary', ''))}</p>"
            )
            parts.append(f"<ul>{''.join(fields)}</ul>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>Docent API</title><style>body{font:16px/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
        "h2{margin:2rem 0 0;font-size:1.1rem}</style><h1>Docent API</h1><p>Errors are JSON: one line as "
        '<code>error</code>, and <code>request_id</code>. The same as a file: <a href="/openapi.json">openapi.json</a>.'
        f"</p>{''.join(parts)}</html>"
    )
