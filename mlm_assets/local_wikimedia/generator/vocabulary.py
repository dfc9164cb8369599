"""Words and sentences of the generated world in the ten languages.

Sentences avoid inflection: names of countries and regions stand in apposition or in brackets. A word with an
article is written "article|noun". What a sentence says of a place (landscape, climate, direction, trade) is decided
by its plan; nothing here is random.
"""

from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "it", "es", "pl", "ro", "nl", "hu", "pt")
"""Order of the columns below; the ten target languages of the dataset."""


def _by_language(*row: str) -> dict[str, str]:
    return dict(zip(LANGUAGES, row, strict=True))


ROOT: Final = _by_language(
    "human settlement", "Siedlung", "établissement humain", "insediamento umano", "asentamiento",
    "jednostka osadnicza", "așezare umană", "nederzetting", "emberi település", "povoamento humano",
)  # fmt: skip

KINDS: Final = {
    "village": _by_language("a|village", "ein|Dorf", "un|village", "un|villaggio", "un|pueblo", "|wieś", "un|sat",
                            "een|dorp", "egy|falu", "uma|aldeia"),
    "town": _by_language("a|town", "eine|Kleinstadt", "une|petite ville", "una|cittadina", "una|villa", "|miasteczko",
                         "un|oraș", "een|stadje", "egy|kisváros", "uma|vila"),
    "hamlet": _by_language("a|hamlet", "ein|Weiler", "un|hameau", "una|borgata", "un|caserío", "|przysiółek",
                           "un|cătun", "een|gehucht", "egy|tanya", "um|lugarejo"),
    "city": _by_language("a|city", "eine|Stadt", "une|ville", "una|città", "una|ciudad", "|miasto", "un|municipiu",
                         "een|stad", "egy|város", "uma|cidade"),
    "big city": _by_language("a|big city", "eine|Großstadt", "une|grande ville", "una|grande città",
                             "una|gran ciudad", "|wielkie miasto", "un|oraș mare", "een|grote stad",
                             "egy|nagyváros", "uma|grande cidade"),
    "capital": _by_language("a|capital", "eine|Hauptstadt", "une|capitale", "una|capitale", "una|capital", "|stolica",
                            "o|capitală", "een|hoofdstad", "egy|főváros", "uma|capital"),
    "ghost town": _by_language("a|ghost town", "eine|Geisterstadt", "une|ville fantôme", "una|città fantasma",
                               "un|despoblado", "|wymarłe miasto", "un|oraș fantomă", "een|spookstad",
                               "egy|szellemváros", "uma|cidade fantasma"),
    "port town": _by_language("a|port town", "eine|Hafenstadt", "une|ville portuaire", "una|città portuale",
                              "una|ciudad portuaria", "|miasto portowe", "un|oraș portuar", "een|havenstad",
                              "egy|kikötőváros", "uma|cidade portuária"),
    "mining town": _by_language("a|mining town", "eine|Bergstadt", "une|ville minière", "una|città mineraria",
                                "una|ciudad minera", "|miasto górnicze", "un|oraș minier", "een|mijnstad",
                                "egy|bányaváros", "uma|cidade mineira"),
    "spa town": _by_language("a|spa town", "ein|Kurort", "une|station thermale", "una|stazione termale",
                             "una|villa termal", "|uzdrowisko", "o|stațiune balneară", "een|kuuroord",
                             "egy|fürdőváros", "uma|estância termal"),
    "market town": _by_language("a|market town", "ein|Marktort", "un|bourg", "un|borgo mercantile",
                                "una|villa de mercado", "|miasteczko targowe", "un|târg", "een|marktplaats",
                                "egy|mezőváros", "uma|vila de mercado"),
    "fishing village": _by_language("a|fishing village", "ein|Fischerdorf", "un|village de pêcheurs",
                                    "un|villaggio di pescatori", "un|pueblo pesquero", "|wieś rybacka",
                                    "un|sat pescăresc", "een|vissersdorp", "egy|halászfalu",
                                    "uma|aldeia piscatória"),
    "ski resort": _by_language("a|ski resort", "ein|Wintersportort", "une|station de ski", "una|stazione sciistica",
                               "una|estación de esquí", "|ośrodek narciarski", "o|stațiune de schi",
                               "een|skioord", "egy|síközpont", "uma|estância de esqui"),
    "planned city": _by_language("a|planned city", "eine|Planstadt", "une|ville nouvelle", "una|città di fondazione",
                                 "una|ciudad planificada", "|miasto planowane", "un|oraș planificat",
                                 "een|geplande stad", "egy|tervezett város", "uma|cidade planejada"),
}  # fmt: skip

LANDSCAPES: Final = {
    "coast": _by_language("coast", "Küste", "littoral", "costa", "costa", "wybrzeże", "litoral", "kust", "tengerpart",
                          "litoral"),
    "mountains": _by_language("mountains", "Gebirge", "montagne", "montagna", "montaña", "góry", "munte", "gebergte",
                              "hegyvidék", "montanha"),
    "river": _by_language("river", "Fluss", "rivière", "fiume", "río", "rzeka", "râu", "rivier", "folyó", "rio"),
    "forest": _by_language("forest", "Wald", "forêt", "foresta", "bosque", "las", "pădure", "bos", "erdő", "floresta"),
    "plain": _by_language("plain", "Ebene", "plaine", "pianura", "llanura", "równina", "câmpie", "vlakte", "síkság",
                          "planície"),
    "lake": _by_language("lake", "See", "lac", "lago", "lago", "jezioro", "lac", "meer", "tó", "lago"),
    "island": _by_language("island", "Insel", "île", "isola", "isla", "wyspa", "insulă", "eiland", "sziget", "ilha"),
    "desert": _by_language("desert", "Wüste", "désert", "deserto", "desierto", "pustynia", "deșert", "woestijn",
                           "sivatag", "deserto"),
}  # fmt: skip

CLIMATES: Final = {
    "polar": _by_language("long dark winters", "lange dunkle Winter", "de longs hivers sombres",
                          "lunghi inverni bui", "largos inviernos oscuros", "długie ciemne zimy",
                          "ierni lungi și întunecate", "lange donkere winters", "hosszú, sötét telek",
                          "longos invernos escuros"),
    "temperate": _by_language("mild summers and frost in winter", "milde Sommer und Frost im Winter",
                              "des étés doux et du gel en hiver", "estati miti e gelo in inverno",
                              "veranos suaves y heladas en invierno", "łagodne lata i mróz zimą",
                              "veri blânde și îngheț iarna", "zachte zomers en vorst in de winter",
                              "enyhe nyarak és téli fagyok", "verões amenos e geada no inverno"),
    "warm": _by_language("hot dry summers", "heiße trockene Sommer", "des étés chauds et secs",
                         "estati calde e secche", "veranos calurosos y secos", "gorące suche lata",
                         "veri calde și uscate", "hete droge zomers", "forró, száraz nyarak",
                         "verões quentes e secos"),
    "tropical": _by_language("rain all year round", "Regen das ganze Jahr über", "de la pluie toute l’année",
                             "piogge tutto l’anno", "lluvias todo el año", "deszcze przez cały rok",
                             "ploi tot anul", "het hele jaar regen", "egész évben eső", "chuva o ano todo"),
}  # fmt: skip

DIRECTIONS: Final = {
    "north": _by_language("north", "nördlich", "nord", "nord", "norte", "północ", "nord", "noorden", "észak", "norte"),
    "east": _by_language("east", "östlich", "est", "est", "este", "wschód", "est", "oosten", "kelet", "leste"),
    "south": _by_language("south", "südlich", "sud", "sud", "sur", "południe", "sud", "zuiden", "dél", "sul"),
    "west": _by_language("west", "westlich", "ouest", "ovest", "oeste", "zachód", "vest", "westen", "nyugat",
                         "oeste"),
}  # fmt: skip

TRADES: Final = {
    "coast": _by_language("fishing", "Fischfang", "pêche", "pesca", "pesca", "rybołówstwo", "pescuit", "visserij",
                          "halászat", "pesca"),
    "mountains": _by_language("mining", "Bergbau", "mines", "miniere", "minería", "górnictwo", "minerit", "mijnbouw",
                              "bányászat", "mineração"),
    "river": _by_language("mills", "Mühlen", "moulins", "mulini", "molinos", "młyny", "mori", "molens", "malmok",
                          "moinhos"),
    "forest": _by_language("timber", "Holzwirtschaft", "bois", "legname", "madera", "drewno", "lemn", "hout",
                           "faipar", "madeira"),
    "plain": _by_language("grain", "Getreide", "céréales", "cereali", "cereales", "zboże", "cereale", "graan",
                          "gabona", "cereais"),
    "lake": _by_language("tourism", "Fremdenverkehr", "tourisme", "turismo", "turismo", "turystyka", "turism",
                         "toerisme", "turizmus", "turismo"),
    "island": _by_language("wine", "Weinbau", "vin", "vino", "vino", "wino", "vin", "wijn", "borászat", "vinho"),
    "desert": _by_language("salt", "Salz", "sel", "sale", "sal", "sól", "sare", "zout", "só", "sal"),
}  # fmt: skip

IS_A: Final = _by_language(
    "{name} is {a} {kind} in the region of {region}, {country}.",
    "{name} ist {a} {kind} in der Region {region} ({country}).",
    "{name} est {a} {kind} de la région de {region} ({country}).",
    "{name} è {a} {kind} della regione di {region} ({country}).",
    "{name} es {a} {kind} de la región de {region} ({country}).",
    "{name} – {kind} w regionie {region} ({country}).",
    "{name} este {a} {kind} din regiunea {region} ({country}).",
    "{name} is {a} {kind} in de regio {region} ({country}).",
    "{name} {a} {kind} {region} régióban ({country}).",
    "{name} é {a} {kind} da região de {region} ({country}).",
)

POPULATION: Final = _by_language(
    "It has {population} inhabitants.",
    "Der Ort hat {population} Einwohner.",
    "La localité compte {population} habitants.",
    "Conta {population} abitanti.",
    "Tiene {population} habitantes.",
    "Liczba mieszkańców: {population}.",
    "Are {population} de locuitori.",
    "De plaats telt {population} inwoners.",
    "Lakosainak száma {population}.",
    "Tem {population} habitantes.",
)

LANDSCAPE: Final = _by_language(
    "The landscape around it is marked by the {landscape}; people live from {trade}.",
    "Die Landschaft ist geprägt von: {landscape}; man lebt von: {trade}.",
    "Le paysage est marqué par un élément, {landscape} ; on y vit de ceci : {trade}.",
    "Il paesaggio è segnato da un elemento: {landscape}; si vive di: {trade}.",
    "El paisaje está marcado por un elemento: {landscape}; se vive de: {trade}.",
    "Krajobraz: {landscape}; główne źródło utrzymania: {trade}.",
    "Peisajul este dominat de: {landscape}; locuitorii trăiesc din: {trade}.",
    "Het landschap wordt bepaald door: {landscape}; men leeft van: {trade}.",
    "A táj jellege: {landscape}; a megélhetés forrása: {trade}.",
    "A paisagem é marcada por: {landscape}; vive-se de: {trade}.",
)

CLIMATE: Final = _by_language(
    "The climate brings {climate}.",
    "Das Klima bringt {climate}.",
    "Le climat apporte {climate}.",
    "Il clima porta {climate}.",
    "El clima trae {climate}.",
    "Klimat: {climate}.",
    "Clima aduce {climate}.",
    "Het klimaat brengt {climate}.",
    "Az éghajlat jellemzői: {climate}.",
    "O clima traz {climate}.",
)

DISTANCE: Final = _by_language(
    "It lies {km} km to the {direction} of {seat}, the seat of the region.",
    "Es liegt {km} km {direction} von {seat}, dem Sitz der Region.",
    "Elle se trouve à {km} km ({direction}) de {seat}, chef-lieu de la région.",
    "Si trova a {km} km ({direction}) da {seat}, capoluogo della regione.",
    "Está a {km} km ({direction}) de {seat}, sede de la región.",
    "Odległość od siedziby regionu, {seat}: {km} km ({direction}).",
    "Se află la {km} km ({direction}) de {seat}, reședința regiunii.",
    "Het ligt {km} km ({direction}) van {seat}, de zetel van de regio.",
    "A régió székhelyétől, {seat}, {km} km-re fekszik ({direction}).",
    "Fica a {km} km ({direction}) de {seat}, sede da região.",
)

FIRST_MENTION: Final = _by_language(
    "It was first mentioned in {year}.",
    "Erstmals erwähnt wurde der Ort im Jahr {year}.",
    "La première mention date de {year}.",
    "La prima menzione risale al {year}.",
    "La primera mención data de {year}.",
    "Pierwsza wzmianka pochodzi z roku {year}.",
    "Prima mențiune datează din anul {year}.",
    "De eerste vermelding dateert uit {year}.",
    "Első említése {year}-ból való.",
    "A primeira menção data de {year}.",
)

CHRONICLE: Final = _by_language(
    "In {year} the bridge, the school and the market hall were rebuilt.",
    "Im Jahr {year} wurden Brücke, Schule und Markthalle neu gebaut.",
    "En {year}, le pont, l’école et la halle furent reconstruits.",
    "Nel {year} furono ricostruiti il ponte, la scuola e il mercato.",
    "En {year} se reconstruyeron el puente, la escuela y el mercado.",
    "W roku {year} odbudowano most, szkołę i halę targową.",
    "În anul {year} au fost refăcute podul, școala și hala.",
    "In {year} werden de brug, de school en de markthal herbouwd.",
    "{year}-ban újjáépült a híd, az iskola és a vásárcsarnok.",
    "Em {year} a ponte, a escola e o mercado foram reconstruídos.",
)

THOUSANDS: Final = _by_language(",", ".", "\u202f", ".", "\u00a0", "\u00a0", ".", ".", "\u00a0", "\u00a0")


def noun(phrase: str) -> str:
    """Return the noun of an "article|noun"."""
    return phrase.partition("|")[2]


def article(phrase: str) -> str:
    """Return the article of an "article|noun"; empty where the language has none."""
    return phrase.partition("|")[0]
