"""Measures summaries by ROUGE: edgehold's beside what is taken without looking, and beside sumy's.

    measure.py BINARY [--own] [--model NAME [--config FILE]] [--check | --control] [--out FOLDER]

--own leaves out the papers, --model adds what a model makes through the edgehold that the configuration names. --check
fails unless builtin/extractive beats the first words, and sentences by lot, where the point comes late. --control fails
unless the check finds fault with summaries of other documents, and with the first words in the place of ours.
"""

import argparse
import json
import os
import pathlib
import sys

import documents
import scores
import systems
import tables

OURS = systems.EXTRACTIVE
LEAD, TAIL, CHANCE = "first words", "last words", "sentences by lot"
DRAWS = 20  # of sentences by lot
MUST_WIN = ["point late", "point late, held out", "point in the middle", "papers without abstract"]
MUST_WIN_BY = ["rouge1", "rougeL"]
SHARE = 1 / 3  # of ROUGE-2 is the most that a summary of another document may have


def main():
    options = arguments()
    if found := list(documents.faults(documents.own())):
        sys.exit("\n".join(["quality: the set is not as it should be", *found]))
    if options.control:
        sys.exit(not control(options))
    results = measured(options)
    print(tables.quality(results, OURS, LEAD))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "quality.json").write_text(json.dumps(results, indent=1) + "\n")
    if options.check:
        found = list(lost(results["groups"]))
        print("\n".join(found) or f"{OURS} wins wherever the point comes late", file=sys.stderr)
        sys.exit(bool(found))


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("binary", type=os.path.realpath)
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--config")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    return parser.parse_args()


def groups_of(own):
    """The groups of the project's own set, by name."""
    late = [it for it in own if not it.lead]
    groups = {
        "all": own,
        "point late": late,
        "point late, held out": [it for it in late if it.held_out],
        "point late, open": [it for it in late if not it.held_out],
        "point at the end": [it for it in own if it.point == "end"],
        "point in the middle": [it for it in own if it.point == "middle"],
        "point in the lead": [it for it in own if it.lead],
        "not English": [it for it in own if it.language != "en"],
    }
    for name, language in systems.NAMES.items():
        groups[language.capitalize()] = [it for it in own if it.language == name]
    return groups


def measured(options):
    """Every system on every document, and the means of each group."""
    own = documents.own()
    groups = groups_of(own)
    if not options.own:
        groups["papers without abstract"] = documents.papers(abstract=False)
        groups["papers with abstract"] = documents.papers(abstract=True)
    every = list({key(it): it for group in groups.values() for it in group}.values())
    makers = {LEAD: systems.lead, TAIL: systems.tail, OURS: systems.edgehold(options.binary, OURS)}
    makers |= {f"sumy {name}": systems.sumy(name) for name in ("LexRank", "TextRank")}
    made = {name: {key(it): maker(it) for it in every} for name, maker in makers.items()}
    for model in options.model:  # which the papers would take hours
        made[model] = {key(it): systems.edgehold(options.binary, model, options.config)(it) for it in own}
    scored = {name: score_all(every, texts) for name, texts in made.items()}
    scored = {LEAD: scored.pop(LEAD), TAIL: scored.pop(TAIL), CHANCE: by_lot(every), **scored}
    return {
        "groups": {name: group_of(members, scored) for name, members in groups.items()},
        "words": {name: lengths(every, texts) for name, texts in made.items()},
    }


def key(document):
    return document.id, document.point


def score_all(members, texts):
    """The scores of those documents that there is a summary of."""
    known = [it for it in members if key(it) in texts]
    return {key(it): scores.score(it, systems.cut(texts[key(it)], it.budget)) for it in known}


def by_lot(members):
    drawn = {key(it): [systems.cut(systems.chance(it, draw), it.budget) for draw in range(DRAWS)] for it in members}
    return {key(it): scores.average([scores.score(it, text) for text in drawn[key(it)]]) for it in members}


def lengths(members, texts):
    """How long the summaries were, as parts of their budgets, before they were cut."""
    parts = [documents.words(texts[key(it)]) / it.budget for it in members if key(it) in texts]
    return {"mean": sum(parts) / len(parts), "longest": max(parts), "over": sum(part > 1 for part in parts)}


def group_of(members, scored):
    rows = {name: [of[key(it)] for it in members] for name, of in scored.items() if all(key(it) in of for it in members)}
    return {
        "documents": len(members),
        "scores": {name: scores.means(found) for name, found in rows.items()},
        "more_than_first_words": {name: scores.differences(found, rows[LEAD]) for name, found in rows.items() if name != LEAD},
    }


def lost(groups):
    """Where builtin/extractive does not beat what it must, a line each."""
    for name in MUST_WIN:
        for other in (LEAD, CHANCE):
            for kind in MUST_WIN_BY if name in groups else []:
                found = groups[name]["scores"]
                ours, theirs = found[OURS][kind]["mean"], found[other][kind]["mean"]
                if ours <= theirs:
                    yield f"{name}: {kind} is {ours:.2f}, that of {other} {theirs:.2f}"


def control(options):
    """Whether the check finds what is wrong on purpose."""
    own = documents.own()
    groups = {name: members for name, members in groups_of(own).items() if name in MUST_WIN}
    ours = {key(it): systems.edgehold(options.binary, OURS)(it) for it in own}
    right = score_all(own, ours)
    wrong = score_all(own, {key(it): ours[key(another(own, it))] for it in own})
    lead = score_all(own, {key(it): systems.lead(it) for it in own})
    chance = by_lot(own)
    held = True
    for name, scored in [("summaries of other documents", wrong), ("the first words as ours", lead)]:
        systems_of = {LEAD: lead, CHANCE: chance, OURS: scored}
        found = list(lost({group: group_of(members, systems_of) for group, members in groups.items()}))
        print(f"{name}: the check finds {len(found)} faults")
        held &= len(found) >= len(groups) * len(MUST_WIN_BY)
    mine, theirs = scores.means(list(right.values())), scores.means(list(wrong.values()))
    for kind in scores.KINDS:
        print(f"{kind}: {mine[kind]['mean']:.2f}, with summaries of other documents {theirs[kind]['mean']:.2f}")
    held &= all(theirs[kind]["high"] < mine[kind]["low"] for kind in scores.KINDS)
    return held and theirs["rouge2"]["mean"] < SHARE * mine["rouge2"]["mean"]


def another(own, document):
    """One of the same language and as far away as there is, which makes it another kind."""
    same = [it for it in own if it.language == document.language]
    return same[(same.index(document) + len(same) // 2) % len(same)]


if __name__ == "__main__":
    main()
