"""What summaries are made of and measured by: the project's own set, and the papers that a package carries."""

import collections
import dataclasses
import importlib.util
import json
import pathlib
import re

SET = pathlib.Path(__file__).resolve().parent / "set"
LENGTHS = {"document": (250, 600), "summary": (40, 80)}  # words
COPIED = 10  # words in a row that a reference may share with its document: names, numbers and set phrases


@dataclasses.dataclass(frozen=True)
class Document:
    id: str
    kind: str
    language: str
    lead: bool  # the point is in the lead
    point: str  # where it is: lead, middle or end
    held_out: bool  # nobody tunes on it
    text: str
    reference: str

    @property
    def budget(self):
        """The words that a summary may have: those of the reference, rounded to 10."""
        return round(words(self.reference) / 10) * 10


def words(text):
    return len(text.split())


def own():
    """The project's own set."""
    rows = map(json.loads, (SET / "index.jsonl").read_text().splitlines())
    return [Document(**row, text=read(row["id"]), reference=read(f"{row['id']}.ref")) for row in rows]


def read(name):
    return (SET / f"{name}.txt").read_text()


def papers(abstract):
    """The test split of ACLSum: 100 papers, written and summarised by others; with their abstracts, or without.

    What is there of a paper is title, abstract, introduction and conclusion. The reference is the three sentences that an
    annotator wrote on challenge, approach and outcome.
    """
    folder = pathlib.Path(importlib.util.find_spec("aclsum").origin).parent
    rows = map(json.loads, (folder / "dataset" / "test.jsonl").read_text().splitlines())
    return [paper(row, abstract) for row in rows]


def paper(row, abstract):
    parts = [row["title"]]
    for section, sentences in row["sentences"].items():
        if section != "abstract" or abstract:
            parts += [section.capitalize(), *paragraphs(sentences)]
    point = "lead" if abstract else "spread"
    reference = untokenised(" ".join(row["summary"].values()))
    return Document(row["id"], "paper", "en", abstract, point, True, "\n\n".join(parts) + "\n", reference)


def paragraphs(sentences):
    """Five sentences each: where the paper's own ended is not known."""
    for first in range(0, len(sentences), 5):
        yield untokenised(" ".join(sentences[first : first + 5]))


def untokenised(text):
    """Without the spaces that the data set has around punctuation."""
    text = re.sub(r" (?=[.,;:!?%)\]])|(?<=[(\[]) ", "", text)
    return re.sub(r" (?='(?:s|re|ve|ll|t)\b)", "", text)


def faults(documents):
    """What is not as README.md says that it is, a line each."""
    for document in documents:
        for what, text in [("document", document.text), ("summary", document.reference)]:
            least, most = LENGTHS[what]
            if not least <= words(text) <= most:
                yield f"{document.id}: a {what} of {words(text)} words"
        if (run := copied(document)) > COPIED:
            yield f"{document.id}: {run} words of the summary are the document's"
    yield from unbalanced(documents)


def unbalanced(documents):
    count = collections.Counter
    leads = count(document.lead for document in documents if document.language == "en")
    others = count(document.language for document in documents if document.language != "en")
    if leads[False] < 24 or leads[True] < 10 or len(others) < 5 or min(others.values()) < 4:
        yield f"too few: English {dict(leads)}, others {dict(others)}"
    halves = collections.defaultdict(count)
    for document in documents:
        halves[document.kind if document.language == "en" else "not English"][document.held_out] += 1
        if document.lead != (document.point == "lead"):
            yield f"{document.id}: is the point in the lead?"
    for kind, half in halves.items():
        if abs(half[True] - half[False]) > 1 + (kind == "not English"):
            yield f"{kind}: {half[True]} of {half.total()} held out"


def copied(document):
    """The longest run of words that stands in both texts."""
    text, reference = (re.findall(r"\w+", it.lower()) for it in (document.text, document.reference))
    places = collections.defaultdict(list)
    for place, word in enumerate(text):
        places[word].append(place)
    longest, ending = 0, {}
    for word in reference:
        ending = {place: ending.get(place - 1, 0) + 1 for place in places[word]}
        longest = max(longest, *ending.values(), 0)
    return longest
