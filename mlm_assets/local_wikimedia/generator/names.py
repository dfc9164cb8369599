"""Names of places that do not exist: pronounceable, coloured by country, with variants per language.

A name is a stem and an ending; some endings are translated (Neldenburg, Neldenbourg, Neldenburgo). Titles are made
unique per language here, as editors do: by the region in brackets.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from mlm_assets.local_wikimedia.generator.vocabulary import LANGUAGES

_SOUNDS: Final = {
    "germanic": (("Al", "Bär", "Dorn", "Eich", "Fels", "Grün", "Hal", "Kalt", "Lin", "Mör", "Nel", "Rot", "Stern",
                  "Ul", "Wald", "Zwie"), ("den", "ber", "lin", "ger", "tel", "ken", "men", "wen")),
    "romance": (("Alba", "Bella", "Carmo", "Évra", "Fonta", "Guaí", "Lora", "Monta", "Novi", "Ouro", "São Be", "Pra",
                 "Rosa", "Ste", "Val", "Île Ma"), ("ri", "lé", "na", "vo", "te", "ro", "ção", "ne", "cia")),
    "slavic": (("Bělo", "Černo", "Dobro", "Gra", "Hra", "Kras", "Łód", "Mlado", "Nowo", "Pod", "Śre", "Ústí Ve",
                "Staro", "Tur", "Vrb", "Żó"), ("vi", "ni", "sta", "mi", "ze", "ko", "ła", "či")),
    "nordic": (("Ål", "Bø", "Eng", "Fjær", "Gro", "Hol", "Kvam", "Lill", "Mø", "Nord", "Øy", "Skå", "Svan", "Tor"),
               ("le", "ne", "da", "re", "ha", "sta", "vi")),
    "finnic": (("Ala", "Hő", "Järvi", "Kis", "Lõu", "Mezö", "Nagy", "Ou", "Pä", "Sár", "Sze", "Tõr", "Vas", "Yli"),
               ("ke", "la", "no", "ged", "ha", "rö", "ta", "mä")),
    "greek": (("Ágio", "Chal", "Dra", "Eleu", "Kala", "Lef", "Mega", "Neá", "Pala", "Thí", "Xán", "Zak"),
              ("ko", "the", "mi", "na", "po", "ri", "ssa", "ta")),
    "asian": (("Aka", "Bala", "Çan", "Devi", "El Ma", "Gül", "Hara", "Kara", "Mura", "Naga", "Ōsa", "Pura", "Şeh",
               "Taka", "Wadi", "Yama"), ("ki", "na", "mu", "ra", "shi", "li", "ba", "to")),
    "english": (("Ash", "Black", "Cold", "Dun", "East", "Fair", "Glen", "Har", "Kil", "Long", "Mid", "Oak", "Port",
                 "Stoke", "Up", "West"), ("er", "ing", "le", "ar", "mo", "ver", "bur", "al")),
}  # fmt: skip
_OWN_ENDINGS: Final = {
    "germanic": ("heim", "bach", "feld"), "romance": ("ra", "no", "s"), "slavic": ("ice", "ów", "grad"),
    "nordic": ("vik", "by", "sund"), "finnic": ("vár", "la", "niemi"), "greek": ("os", "ia", "i"),
    "asian": ("pur", "wa", "köy"), "english": ("ton", "ham", "ley"),
}  # fmt: skip
_TRANSLATED: Final = (
    dict(zip(LANGUAGES, ("burgh", "burg", "bourg", "burgo", "burgo", "burg", "burg", "burg", "burg", "burgo"),
             strict=True)),
    dict(zip(LANGUAGES, (" Bridge", "brücken", "-le-Pont", " al Ponte", " del Puente", " Mostowe", " la Pod",
                         "brug", "híd", " da Ponte"), strict=True)),
    dict(zip(LANGUAGES, ("ia", "ien", "ie", "ia", "ia", "ia", "ia", "ië", "ia", "ia"), strict=True)),
)  # fmt: skip
_ODD_SHAPES: Final = (
    "{0} & {1}", "{0}+{1}", "{0}?", "Qu'{0}", "'s-{0}", "\"{0}\"", "{0}/{1}", "{0}!", "{0}, {1}", "{0} (Nr. 1)",
    "St. {0}", "{0}; {1}", "{0} – {1}", "{0} = {1}", "{0}*",
)  # fmt: skip
"""Shapes that trip up whoever builds addresses by hand; every one is a legal title."""
_ODD_EVERY: Final = 24


def _stem(rng: random.Random, sounds: str) -> str:
    first, middle = _SOUNDS[sounds]
    return rng.choice(first) + "".join(rng.choices(middle, k=rng.choice((1, 1, 2))))


def plain_name(rng: random.Random, sounds: str) -> str:
    """Return one name, the same in all languages."""
    return _stem(rng, sounds) + rng.choice(_OWN_ENDINGS[sounds])


def names_per_language(rng: random.Random, sounds: str, number: int) -> dict[str, str]:
    """Return the name of place `number` in every language: odd in turn, translated in three of ten cases."""
    turn, left = divmod(number, _ODD_EVERY)
    if left == 0:
        shape = _ODD_SHAPES[turn % len(_ODD_SHAPES)]
        return dict.fromkeys(LANGUAGES, shape.format(plain_name(rng, sounds), plain_name(rng, sounds)))
    if rng.random() < 0.7:
        return dict.fromkeys(LANGUAGES, plain_name(rng, sounds))
    stem, endings = _stem(rng, sounds), rng.choice(_TRANSLATED)
    return {lang: stem + endings[lang] for lang in LANGUAGES}


@dataclass(slots=True)
class TitleRegister:
    """The titles given away so far, per language."""

    taken: dict[str, set[str]] = field(default_factory=dict)

    def claim(self, lang: str, name: str, region: str) -> str:
        """Return an unused title for `name`: itself, else with the region, else numbered; and keep it."""
        used = self.taken.setdefault(lang, set())
        title = capitalised(name)
        if title in used:
            title = f"{capitalised(name)} ({region})"
        number = 2
        while title in used:
            title = f"{capitalised(name)} ({region} {number})"
            number += 1
        used.add(title)
        return title


def capitalised(name: str) -> str:
    """Return `name` with its first letter in upper case, as the wikis store titles."""
    return name[:1].upper() + name[1:]
