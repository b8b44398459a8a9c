"""Lay the website out like the repository, so that README is its first page and every relative link holds in both."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = ("*.md", "docs/**/*.md", "docs/site.css", "results/studies/*.md", "results/published/**/TABLE.md")
LINKED = (
    "LICENSE", "datamodules/assets/LICENSE.md", "docs/quickstart.ipynb", "results/studies/*.*",
    "results/published/report.html", "results/published/**/TABLE.*", "results/published/**/*.png",
)  # fmt: skip


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of docs/ by those of the repository that pages show or link to; keep the theme's."""
    root = Path(config.config_file_path).parent
    paths = {path.relative_to(root).as_posix() for pattern in PAGES + LINKED for path in root.glob(pattern)}
    theme = [file for file in files if file.src_dir != config.docs_dir]
    return Files(theme + [File(path, str(root), config.site_dir, config.use_directory_urls) for path in sorted(paths)])
