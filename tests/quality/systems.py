"""Who summarises: words and sentences taken without looking at them, sumy, and edgehold with a model.

Each gets a document and answers with a text. Whoever answers with more words than the budget is cut at it, so that nobody
gains by length.
"""

import collections
import contextlib
import functools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

EXTRACTIVE = "builtin/extractive"
PATIENCE = 1800  # seconds: a real model on a small machine
NAMES = {"en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese"}


def command(binary, model, budget, file, config=None):
    """How edgehold is asked for a summary: the one place that knows."""
    argv = [binary, "summarize", "--json", "--model", model, "--length", f"words={budget}"]
    return [*argv, *(["--config", config] if config else []), file]


def summary_of(answer):
    """The text in what edgehold says with --json."""
    return json.loads(answer)["summary"].strip()


def cut(text, budget):
    return " ".join(text.split()[:budget])


def lead(document):
    """The first words, up to the budget: what a summary has to beat."""
    return cut(document.text, document.budget)


def tail(document):
    """The last words: what a summary would be that knew where these documents have their point."""
    return " ".join(document.text.split()[-document.budget :])


def chance(document, draw=0):
    """Sentences by lot, in their order: what a summary has to beat wherever the point is."""
    sentences = list(parsed(document.text, document.language).sentences)
    order = random.Random(f"{document.id} {draw}").sample(range(len(sentences)), len(sentences))
    taken = filled(document.budget)([Ranked(sentences[place], place) for place in order])
    return " ".join(str(one.sentence) for one in sorted(taken, key=lambda one: one.place))


Ranked = collections.namedtuple("Ranked", ["sentence", "place"])


def edgehold(binary, model, config=None):
    return functools.partial(ask_edgehold, binary, model, config)


def ask_edgehold(binary, model, config, document):
    with tempfile.TemporaryDirectory(prefix="edgehold-quality-") as folder:
        file = pathlib.Path(folder) / "document.txt"
        file.write_text(document.text)
        argv = command(binary, model, document.budget, str(file), config)
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0:
        sys.exit(f"quality: {' '.join(argv)} ended with {done.returncode} on {document.id}: {done.stderr.strip()}")
    with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):
        if summary := summary_of(done.stdout):
            return summary
    sys.exit(f"quality: no summary of {document.id} in {done.stdout[:200]!r}")


def sumy(name):
    """sumy's LexRank or TextRank with its stemmer, its stop words, and NLTK's sentence models."""
    return functools.partial(ask_sumy, name)


def ask_sumy(name, document):
    return sumy_summary(name, document.text, document.language, filled(document.budget))


def sumy_summary(name, text, language, count):
    """count is a number of sentences, or takes some of all that are ranked."""
    from sumy.nlp.stemmers import Stemmer
    from sumy.utils import get_stop_words

    if name == "LexRank":
        from sumy.summarizers.lex_rank import LexRankSummarizer as Summarizer
    else:
        from sumy.summarizers.text_rank import TextRankSummarizer as Summarizer
    summarizer = Summarizer(Stemmer(NAMES[language]))
    summarizer.stop_words = get_stop_words(NAMES[language])
    return " ".join(map(str, summarizer(parsed(text, language), count)))


def filled(budget):
    """Takes sentences in their order until the budget is used up; of the last one, the words that fit."""

    def take(ranked):
        taken, left = [], budget
        for one in ranked:
            if left <= 0:
                break
            words = str(one.sentence).split()
            taken.append(one._replace(sentence=" ".join(words[:left])))
            left -= len(words)
        return taken

    return take


def parsed(text, language):
    from sumy.parsers.plaintext import PlaintextParser

    return PlaintextParser.from_string(text, sumy_tokenizer(NAMES[language])).document


@functools.cache
def sumy_tokenizer(language):
    """sumy's own, with the sentence models that NLTK would download: a package carries them."""
    import nltk
    from sumy.nlp.tokenizers import Tokenizer

    for folder in map(pathlib.Path, sys.path):
        models = folder / "llama_index" / "core" / "_static" / "nltk_cache"
        if models.is_dir() and str(models) not in nltk.data.path:
            nltk.data.path.append(str(models))
    return Tokenizer(language)
