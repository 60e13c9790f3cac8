"""Builds the site of the pages and an API reference from the docstrings, and checks its links: `make docs`.

The pages stay where they are and are plain Markdown. They are copied into build/pages/ under the paths that they have
here, so that a link which works in the repository works in the site, and one that does not stops the build. The
notebook becomes a page, and the reference of the Python API is written from what the package offers.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD = REPOSITORY / "build"
PAGES = BUILD / "pages"
SITE = REPOSITORY / "site"
PROJECT = ("BUILD.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "tests/torture/README.md")
GROUPS = {"How to": "how-to-", "Reference": "reference-", "Explanations": "explanation-"}
# What programs use beside the names of `crossnet` itself.
MODULES = {"Clients": "crossnet.serving.client", "Artifacts": "crossnet.components.artifacts"}
STYLE = ".md-grid { max-width: 84rem; }\n"  # 120 characters of code


def main() -> int:
    """Copies, writes and builds; returns 0, or 1 where a page or link is wrong."""
    shutil.rmtree(PAGES, ignore_errors=True)
    docs = REPOSITORY / "docs"
    pages = sorted(docs.glob("*.md"))
    for file in [*(REPOSITORY / name for name in ("README.md", "LICENSE", *PROJECT)), *pages, *docs.glob("*.png")]:
        copy(file)
    (PAGES / "style.css").write_text(STYLE, encoding="utf-8")
    (PAGES / "docs" / "notebook.md").write_text(notebook_page(docs / "notebook.ipynb"), encoding="utf-8")
    (PAGES / "docs" / "reference-python.md").write_text(api_page(), encoding="utf-8")
    config = {
        "docs_dir": "pages",
        "site_dir": "site",
        "extra_css": ["style.css"],
        "nav": navigation([f"docs/{page.name}" for page in pages]),
    }
    # JSON is YAML.
    added = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in config.items())
    (BUILD / "mkdocs.yml").write_text((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8") + added, encoding="utf-8")
    command = ["-m", "zensical", "build", "--clean", "--strict", "--config-file", str(BUILD / "mkdocs.yml")]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr.partition("Traceback")[0], sep="", end="")  # --strict ends with one
    if done.returncode:
        print("The site was not built: see above.", file=sys.stderr)
        return 1
    shutil.rmtree(SITE, ignore_errors=True)
    (BUILD / "site").rename(SITE)
    print(f"The site is in {SITE}. To read it: python3 -m http.server -d {SITE.name}")
    return 0


def copy(file: Path) -> None:
    """Copies a file to its place among the pages; a link to the notebook then leads to its page."""
    target = PAGES / file.relative_to(REPOSITORY)
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".md":
        text = file.read_text(encoding="utf-8").replace("(notebook.ipynb)", "(notebook.md)")
        target.write_text(text, encoding="utf-8")
    else:
        shutil.copy(file, target)


def navigation(pages: list[str]) -> list[dict[str, Any]]:
    """Returns the site's menu: by the first word of a page's name, with titles as the pages have them.

    Args:
      pages: Paths below the repository, of all pages in docs.
    """
    pages = [*pages, "docs/reference-python.md", "docs/notebook.md"]
    first = ["README.md", "docs/README.md", "docs/tutorial.md"]
    found: list[dict[str, Any]] = [{title(page): page} for page in first]
    rest = [page for page in pages if page not in first]
    for group, prefix in GROUPS.items():
        chosen = [page for page in rest if page.startswith(f"docs/{prefix}")]
        rest = [page for page in rest if page not in chosen]
        found.append({group: [{title(page): page} for page in chosen]})
    found.append({"More": [{title(page): page} for page in rest]})
    return [*found, {"Project": [{title(page): page} for page in PROJECT]}]


def title(page: str) -> str:
    """Returns a page's first heading, without marks of code."""
    (heading, *_) = re.findall(r"^# (.+)$", (PAGES / page).read_text(encoding="utf-8"), re.M)
    return str(heading).replace("`", "")


def api_page() -> str:
    """Returns the page whose parts mkdocstrings fills: each public name, then the modules that programs use."""
    tree = ast.parse((REPOSITORY / "crossnet" / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    homes = {name.name: node.module for node in imports for name in node.names}
    (public,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    lines = ["# The Python API", "[How to run it from Python](how-to-run-from-python.md) shows most of it at work."]
    lines += ["`import crossnet` offers these names and `" + "`, `".join(in_modules(public, homes)) + "`, see below."]
    shown = [name for name in public if name not in in_modules(public, homes)]
    lines += [f"::: {homes[name]}.{name}" for name in shown]
    for heading, module in MODULES.items():
        lines += [f"## {heading}", f"::: {module}\n    options: {{show_submodules: true, heading_level: 3}}"]
    return "\n\n".join(lines) + "\n"


def in_modules(public: list[str], homes: dict[str, str | None]) -> list[str]:
    """Returns the names that a module of the page shows anyway."""
    return [name for name in public if homes[name] in MODULES.values()]


def notebook_page(notebook: Path) -> str:
    """Returns a notebook's cells and what they show, as Markdown."""
    parts = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if html := "".join(data.get("text/html", ())):
                parts.append(re.sub(r"\n\s*\n", "\n", f"<div>\n{html}\n</div>"))  # a blank line would end the HTML
            else:
                text = "".join(output.get("text") or data.get("text/plain", ()))
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
