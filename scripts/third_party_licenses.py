#!/usr/bin/env python3
"""Write THIRD-PARTY-LICENSES: every crate that goes into the binaries, with its licence texts.

With --check, fail when the file is not what would be written.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "THIRD-PARTY-LICENSES"
NAMES = ("license", "licence", "copying", "notice", "unlicense", "copyright")


def crates() -> list[dict]:
    """The packages that the binaries link: normal dependencies, on the platforms that are released."""
    found = {}
    for platform in ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"):
        command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", platform]
        metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
        packages = {p["id"]: p for p in metadata["packages"]}
        edges = {
            node["id"]: [d["pkg"] for d in node["deps"] if any(k["kind"] is None for k in d["dep_kinds"])]
            for node in metadata["resolve"]["nodes"]
        }
        todo = list(metadata["workspace_members"])
        seen = set(todo)
        while todo:
            for dependency in edges[todo.pop()]:
                if dependency not in seen:
                    seen.add(dependency)
                    todo.append(dependency)
        found |= {i: packages[i] for i in seen if packages[i]["source"]}
    return sorted(found.values(), key=lambda p: (p["name"], p["version"]))


def texts(package: dict) -> list[str]:
    """The licence texts that a crate ships."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(f for f in folder.iterdir() if f.is_file() and f.name.lower().startswith(NAMES))
    return [f.read_text(encoding="utf-8", errors="replace").strip() for f in files]


def tables() -> str:
    """The terms of numpy's ziggurat tables, which stand at the head of the file that holds them."""
    lines = (ROOT / "runtime/array/src/random/ziggurat.rs").read_text(encoding="utf-8").splitlines()
    return "\n".join(
        line.removeprefix("//").removeprefix(" ")
        for line in lines
        if line.startswith(("// ", "//")) and not line.startswith(("//!", "///"))
    ).strip()


def render() -> str:
    """The whole file: an index by crate, then each distinct text once."""
    packages = crates()
    by_text: dict[str, list[str]] = {}
    lines = ["Third-party software in the binaries of this project", ""]
    for package in packages:
        label = f"{package['name']} {package['version']}"
        lines.append(f"{label}: {package['license']}")
        for text in texts(package):
            by_text.setdefault(text, []).append(label)
    lines.append("NumPy, tables of the ziggurat (derived from Julia): BSD-3-Clause, MIT")
    by_text[tables()] = ["NumPy, tables of the ziggurat"]
    for text, labels in by_text.items():
        lines += ["", "=" * 100, ", ".join(labels), "=" * 100, "", text]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the file, or compare it."""
    text = render()
    if "--check" not in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("THIRD-PARTY-LICENSES is not up to date: run `make licenses`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
