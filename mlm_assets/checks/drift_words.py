"""Words that drift checks know: names of languages, and the commonest words of each language, to tell texts apart.

The lists are short and of our own making: function words that stand in nearly every lead text, and those of places.
A word may be in several lists; a text is foreign only where another language has far more of them.
"""

from typing import Final

LANGUAGE_NAMES: Final = {
    "en": "English", "de": "German", "fr": "French", "it": "Italian", "es": "Spanish", "pl": "Polish",
    "ro": "Romanian", "nl": "Dutch", "hu": "Hungarian", "pt": "Portuguese", "mul": "all languages",
}  # fmt: skip

_WORDS: Final = {
    "en": "the of and in is was by to from with are it on at its which located population as has region district",
    "de": "der die das und ist in den von im des mit ein eine zu auf dem liegt nach sich aus wird einwohner gemeinde",
    "fr": "le la les de des du est une un et en dans au sur par elle située région commune département ses habitants",
    "it": "il la di della del dei nella è un una e in nel con per che comune abitanti provincia si dal alla",
    "es": "el la de los las del es una un y en la con por que municipio provincia habitantes se está su al",
    "pl": "w z na i do się jest oraz od nad wieś gminie powiecie województwie położona po przy miasto leży gmina",
    "ro": "este în și din un o de la cu pe sat comuna județul oraș se află locuitori localitate sunt al ale",
    "nl": "de het een van en in is op met de door te aan bij dorp gemeente provincie inwoners ligt tot voor",
    "hu": "a az egy és is falu község város található megyében megye lakosainak száma járásban területén km van volt "
          "ország régióban",
    "pt": "o a de do da em é uma um e na no com por que município habitantes região dos das ao foi aldeia",
}  # fmt: skip

STOP_WORDS: Final = {lang: tuple(dict.fromkeys(words.split())) for lang, words in _WORDS.items()}
"""Common words per target language."""


def group_in_words(dimension: str, value: str) -> str:
    """Return a group as a reader knows it: languages by their English name."""
    if dimension == "lang":
        return f"{LANGUAGE_NAMES.get(value, value)} ({value})"
    if dimension == "shard":
        return f"shard {value.rpartition('-')[2]}"
    if dimension == "reason":
        return f"rejection for {value}"
    if dimension == "property" and " in " in value:
        what, _, lang = value.partition(" in ")
        return f"{what}s in {LANGUAGE_NAMES.get(lang, lang)} ({lang})"
    return f"{dimension} {value}"
