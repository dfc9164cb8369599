"""Faults of the original evaluation, off unless their effect is to be measured (design, section 9).

Those of data, texts and training lie elsewhere (`ml.faults`, `ml.recipe`); vectors that keep their length in retrieval
come so from the model, and are measured as they come.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How the protocol is bent.

    `recall_summed_over_languages`: recall is the sum over the languages, not their mean (3.0 for perfect retrieval in
    three). `language_by_counter`: a counter over all items chooses the language of a text, not the QID.
    """

    recall_summed_over_languages: bool = False
    language_by_counter: bool = False
