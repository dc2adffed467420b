"""ROUGE-1, -2 and -L (F1) of a summary, and what a mean of them is worth: bootstrap intervals of 95 %."""

import re

import numpy
from rouge_score import rouge_scorer

KINDS = ["rouge1", "rouge2", "rougeL"]
DRAWS = 4000


class Words:
    """Words with their accents, which rouge-score's own tokenizer takes for gaps."""

    def tokenize(self, text):
        return re.findall(r"\w+", text.lower())


SCORERS = {
    True: rouge_scorer.RougeScorer(KINDS, use_stemmer=True),
    False: rouge_scorer.RougeScorer(KINDS, tokenizer=Words()),
}


def score(document, summary):
    """The three values of 0 to 100. English is stemmed, the other languages are not."""
    found = SCORERS[document.language == "en"].score(document.reference, summary)
    return [found[kind].fmeasure * 100 for kind in KINDS]


def average(rows):
    """Of several summaries of one document."""
    return [sum(column) / len(rows) for column in zip(*rows)]


def means(rows):
    """Mean and interval of each kind, over documents: {kind: {mean, low, high}}."""
    return {kind: interval([row[at] for row in rows]) for at, kind in enumerate(KINDS)}


def differences(rows, others):
    """The same of what one system has more than the other, document by document."""
    return means([[one - two for one, two in zip(*pair)] for pair in zip(rows, others)])


def interval(values):
    values = numpy.array(values)
    draws = numpy.random.default_rng(1).integers(len(values), size=(DRAWS, len(values)))
    low, high = numpy.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}
