"""The bill of materials: what is linked in and nothing else, each with a licence that is allowed."""

from __future__ import annotations

import hashlib
import json
import tomllib

from bench import REPOSITORY, Bench, hold, run

import sbom

EXPRESSIONS = {
    "MIT OR Apache-2.0": True,
    "GPL-3.0-only OR MIT": True,
    "GPL-3.0-only": False,
    "MIT AND GPL-3.0-only": False,
    "(GPL-2.0-only OR AGPL-3.0-only) AND MIT": False,
    "Apache-2.0 WITH LLVM-exception": True,
    "GPL-2.0-only WITH Classpath-exception-2.0": False,
    "": False,
}


def the_bill_has_what_is_linked(ours: Bench) -> None:
    bill, notices = ours.scratch / "bill.json", ours.scratch / "notices"
    run(REPOSITORY / "scripts/packaging/sbom.py", ours.target, ours.binary, "--sbom", bill, "--notices", notices)
    told = json.loads(bill.read_text())
    crates = {it["name"]: it for it in told["components"] if "purl" in it}
    manifest = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())
    missing = set(manifest["dependencies"]) - set(crates)
    hold(not missing, f"missing: {sorted(missing)}")
    more = {"rcgen", "clap_complete", "clap_mangen", "cc", "toml_writer", "syn"} & set(crates)
    hold(not more, f"what only builds and tests use: {more}")
    lock = {it["name"] for it in tomllib.loads((REPOSITORY / "Cargo.lock").read_text())["package"]}
    hold(set(crates) < lock and len(crates) > 80, f"{len(crates)} crates")
    refs = {it["bom-ref"] for it in told["components"]} | {told["metadata"]["component"]["bom-ref"]}
    hold(all(set(it["dependsOn"]) <= refs for it in told["dependencies"]), "it names what it does not have")
    found = told["metadata"]["component"]["hashes"][0]["content"]
    hold(found == hashlib.sha256(ours.binary.read_bytes()).hexdigest(), "the hash is another binary's")
    text = notices.read_text()
    hold(all(it["bom-ref"] in text for it in crates.values()) and "Rich Felker" in text, "a notice is missing")


def licences_that_nobody_allowed_are_refused(_: Bench) -> None:
    for expression, allowed in EXPRESSIONS.items():
        hold(sbom.is_allowed(expression) == allowed, f"{expression!r} is judged wrong")


CHECKS = (the_bill_has_what_is_linked, licences_that_nobody_allowed_are_refused)
