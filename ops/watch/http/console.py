"""The console's files: those in its folder and no others, each known by name beforehand."""

from importlib import resources
from pathlib import Path
from typing import Final

from aiohttp import web

TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
}


def console_folder() -> Path:
    """Return where the console lies."""
    return Path(str(resources.files("ops.watch") / "console"))


class Console:
    """Serves the files that are in `folder` now; a path is looked up, never opened."""

    def __init__(self, folder: Path) -> None:
        """Read the folder's names."""
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in TYPES
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the file of that path."""
        path = self._files.get("/index.html" if request.path == "/" else request.path)
        if path is None:
            raise web.HTTPNotFound
        return web.Response(
            body=path.read_bytes(), content_type=TYPES[path.suffix], charset="utf-8"
        )
