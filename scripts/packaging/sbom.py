#!/usr/bin/env python3
"""Says what is in the binary of a target: a bill of materials (CycloneDX 1.5), and the licences of others' code.

    scripts/packaging/sbom.py TARGET BINARY --sbom FILE --notices FILE

Cargo says which crates are linked in, Cargo.lock has their checksums. SQLite, musl and Rust's standard library are added by
hand, as no crate of their name is in the lock. A licence that is not on the list below is an error: somebody has to
decide. The same inputs give the same bytes; times are those of $SOURCE_DATE_EPOCH, else of the last commit.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

sys.dont_write_bytecode = True

from payload import REPOSITORY, TARGETS, Wrong  # noqa: E402
from source import released_version, source_time  # noqa: E402

ALLOWED = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CDLA-Permissive-2.0"),
    *("ISC", "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib"),
}
OUTSIDE_THE_LOCK = {"musl": "(c) 2005-2020 Rich Felker, et al.", "rust-std": "(c) The Rust Project Contributors"}
TEXTS = re.compile(r"(?i)(licen[cs]e|copying|copyright|notice|unlicense)")
JsonObject = dict[str, object]


def main() -> int:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape, usage=argparse.SUPPRESS)
    parser.add_argument("target", choices=TARGETS, metavar="TARGET")
    parser.add_argument("binary", type=pathlib.Path, metavar="BINARY")
    parser.add_argument("--sbom", type=pathlib.Path, required=True, metavar="FILE")
    parser.add_argument("--notices", type=pathlib.Path, required=True, metavar="FILE")
    options = parser.parse_args()
    try:
        crates = Crates(options.target)
        refuse_unknown_licences(crates)
        options.sbom.write_text(json.dumps(bill(crates, options), indent=2) + "\n")
        options.notices.write_text(notices(crates))
    except Wrong as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    return 0


class Crates:
    """The crates that are linked into the target's binary: no build script's, no test's and no macro's."""

    def __init__(self, target: str) -> None:
        told = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))
        self.packages = {it["id"]: it for it in told["packages"]}
        self.root = told["resolve"]["root"]
        # The metadata counts in what only tests switch on; the tree does not.
        edges = "normal,no-proc-macro"
        tree = cargo("tree", "-e", edges, "--prefix", "none", "--format", "{p}", "--target", target)
        names = {"@".join(line.split()[:2]).replace("@v", "@") for line in tree.splitlines() if line}
        self.linked = sorted((it for it in self.packages if it != self.root and self.name(it) in names), key=self.name)
        nodes = {it["id"]: it for it in told["resolve"]["nodes"]}
        linked = {self.root, *self.linked}
        self.needs = {one: [it["pkg"] for it in nodes[one]["deps"] if it["pkg"] in linked and is_normal(it)] for one in linked}
        lock = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())
        self.sums = {f"{it['name']}@{it['version']}": it.get("checksum") for it in lock["package"]}

    def name(self, one: str) -> str:
        return f"{self.packages[one]['name']}@{self.packages[one]['version']}"

    def licence(self, one: str) -> str:
        """As SPDX writes it; older crates put a slash for OR."""
        return re.sub(r"\s*/\s*", " OR ", self.packages[one]["license"] or "")

    def folder(self, one: str) -> pathlib.Path:
        return pathlib.Path(self.packages[one]["manifest_path"]).parent


def cargo(*words: str) -> str:
    done = subprocess.run(["cargo", *words, "--locked"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Wrong(f"cargo {words[0]}: {done.stderr.strip()}")
    return done.stdout


def is_normal(need: JsonObject) -> bool:
    return any(it["kind"] is None for it in need["dep_kinds"])


def refuse_unknown_licences(crates: Crates) -> None:
    wrong = [f"{crates.name(it)} ({crates.licence(it) or 'none'})" for it in crates.linked if not is_allowed(crates.licence(it))]
    if wrong:
        raise Wrong(f"not on the list of licences: {', '.join(wrong)}")


def is_allowed(expression: str) -> bool:
    """Whether one way through the ORs meets allowed licences only."""
    words = re.findall(r"\(|\)|[^\s()]+(?: WITH [^\s()]+)?", expression)
    python = [{"OR": "or", "AND": "and", "(": "(", ")": ")"}.get(it) or str(it in ALLOWED) for it in words]
    # Nothing but these words and True and False is in it.
    return bool(python) and bool(eval(" ".join(python), {"__builtins__": {}}))  # noqa: S307


def bill(crates: Crates, options: argparse.Namespace) -> JsonObject:
    binary = options.binary.read_bytes()
    others = foreign(crates, binary)
    needs = {crates.name(it): sorted(map(crates.name, crates.needs[it])) for it in [crates.root, *crates.linked]}
    needs[crates.name(crates.root)] += [str(it["bom-ref"]) for it in others]
    time = datetime.datetime.fromtimestamp(source_time(), datetime.UTC)
    body: JsonObject = {
        "metadata": {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": program(crates, options.target, binary)},
        "components": [*(component(crates, it) for it in crates.linked), *others],
        "dependencies": [{"ref": name, "dependsOn": on} for name, on in needs.items()],
    }
    number = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(body, sort_keys=True))
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": f"urn:uuid:{number}", "version": 1, **body}


def program(crates: Crates, target: str, binary: bytes) -> JsonObject:
    return {
        "type": "application",
        "bom-ref": crates.name(crates.root),
        "name": "edgehold",
        "version": released_version(),
        "hashes": [sha256(hashlib.sha256(binary).hexdigest())],
        "licenses": [{"expression": crates.licence(crates.root)}],
        "properties": [{"name": "edgehold:target", "value": target}],
    }


def component(crates: Crates, one: str) -> JsonObject:
    package = crates.packages[one]
    entry: JsonObject = {
        "type": "library",
        "bom-ref": crates.name(one),
        "name": package["name"],
        "version": package["version"],
        "purl": f"pkg:cargo/{crates.name(one)}",
        "licenses": [{"expression": crates.licence(one)}],
    }
    checksum = crates.sums.get(crates.name(one))
    if checksum:
        entry["hashes"] = [sha256(checksum)]
    return entry


def sha256(content: str) -> JsonObject:
    return {"alg": "SHA-256", "content": content}


def foreign(crates: Crates, binary: bytes) -> list[JsonObject]:
    """What is in the binary and in no lock."""
    # The compiler signs what it makes; the C library does not.
    compiler = re.search(rb"rustc version ([0-9.]+)", binary)
    sqlite = next(it for it in crates.linked if crates.name(it).startswith("libsqlite3-sys@"))
    header = (crates.folder(sqlite) / "sqlite3" / "sqlite3.h").read_text()
    return [
        other("musl", None, {"license": {"id": "MIT"}}),
        other("rust-std", compiler and compiler[1].decode(), {"expression": "MIT OR Apache-2.0"}),
        other("sqlite", re.search(r'SQLITE_VERSION +"([0-9.]+)"', header)[1], {"license": {"id": "blessing"}}),
    ]


def other(name: str, version: str | None, licence: JsonObject) -> JsonObject:
    entry: JsonObject = {"type": "library", "bom-ref": name, "name": name, "licenses": [licence]}
    return {**entry, "version": version} if version else entry


def notices(crates: Crates) -> str:
    """Each text once, under the names of all that it is of."""
    owners: dict[str, list[str]] = {}
    for one in crates.linked:
        texts = licence_texts(crates.folder(one))
        if not texts:
            raise Wrong(f"{crates.name(one)} brings no text of its licence")
        for text in texts:
            owners.setdefault(text, []).append(f"{crates.name(one)}, {crates.licence(one)}")
    for name, holder in OUTSIDE_THE_LOCK.items():
        owners.setdefault(f"Copyright {holder}\n\n{permission()}", []).append(f"{name}, MIT")
    parts = ["edgehold is linked with the work of others. Their licences, as they give them:\n"]
    parts += ["\n".join(names) + "\n\n" + text for text, names in sorted(owners.items(), key=lambda it: it[1])]
    return ("\n" + "=" * 100 + "\n\n").join(parts)


def permission() -> str:
    """The MIT licence's words, which are our own licence's too."""
    text = (REPOSITORY / "LICENSE-MIT").read_text()
    return text[text.index("Permission is hereby granted") :]


def licence_texts(folder: pathlib.Path) -> list[str]:
    files = [it for it in sorted(folder.iterdir()) if it.is_file() and TEXTS.match(it.name)]
    return [re.sub(r"[ \t\r]+\n", "\n", it.read_text(errors="replace").replace("\r\n", "\n")).strip() + "\n" for it in files]


if __name__ == "__main__":
    sys.exit(main())
