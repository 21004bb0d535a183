"""English words whose forms share no stem, in one table for all that look words up or inflect them."""

from __future__ import annotations

IRREGULAR = {
    row.split()[0]: (row.split()[1], row.split()[2])
    for row in """be was been;have had had;do did done;go went gone;say said said;get got got;make made made
;know knew known;think thought thought;take took taken;see saw seen;come came come;find found found
;give gave given;tell told told;become became become;leave left left;feel felt felt;put put put
;bring brought brought;begin began begun;keep kept kept;hold held held;write wrote written;stand stood stood
;hear heard heard;let let let;mean meant meant;set set set;meet met met;run ran run;pay paid paid;sit sat sat
;speak spoke spoken;lie lay lain;lead led led;read read read;grow grew grown;lose lost lost;fall fell fallen
;send sent sent;build built built;understand understood understood;draw drew drawn;break broke broken
;spend spent spent;cut cut cut;rise rose risen;drive drove driven;buy bought bought;wear wore worn
;choose chose chosen;eat ate eaten;teach taught taught;catch caught caught;fly flew flown;throw threw thrown
;sell sold sold;sing sang sung;sleep slept slept;swim swam swum;wake woke woken;win won won;fight fought fought
;ride rode ridden;drink drank drunk;forget forgot forgotten;hide hid hidden;lend lent lent;ring rang rung
;shake shook shaken;shut shut shut;steal stole stolen;sweep swept swept;tear tore torn;bend bent bent
;bear bore born;beat beat beaten;bite bit bitten;bleed bled bled;blow blew blown;breed bred bred;burn burnt burnt
;cast cast cast;cling clung clung;cost cost cost;deal dealt dealt;dig dug dug;dream dreamt dreamt;feed fed fed
;forbid forbade forbidden;freeze froze frozen;grind ground ground;hang hung hung;hit hit hit;hurt hurt hurt
;kneel knelt knelt;lay laid laid;lean leant leant;learn learnt learnt;light lit lit;quit quit quit
;seek sought sought;sew sewed sewn;shoot shot shot;show showed shown;shrink shrank shrunk;sink sank sunk
;smell smelt smelt;sow sowed sown;spell spelt spelt;spin spun spun;split split split;spread spread spread
;spring sprang sprung;stick stuck stuck;strike struck struck;swear swore sworn;weave wove woven;weep wept wept
;wind wound wound;bind bound bound;knit knitted knitted;undergo underwent undergone;withdraw withdrew withdrawn
;outgrow outgrew outgrown;overlook overlooked overlooked;redo redid redone;rewrite rewrote rewritten""".replace(
        "\n", ""
    ).split(";")
}

_NOUNS = """child children;man men;woman women;person people;foot feet;tooth teeth;mouse mice;goose geese;ox oxen;wife wives
;knife knives;loaf loaves;shelf shelves;half halves;calf calves;thief thieves;wolf wolves""".replace("\n", "").split(";")
_FAMILIES = [*((base, *forms) for base, forms in IRREGULAR.items()), *(tuple(row.split()) for row in _NOUNS)]
_THINGS = frozenset("saw rose ground wound bit shot".split())  # mostly things, whose plural is another word than the verb
# Of a form that two verbs have, the commoner one's.
BASE = {form: family[0] for family in reversed(_FAMILIES) for form in family if form not in _THINGS}


def forms(word: str) -> frozenset[str]:
    "All forms of a word, itself among them: grew -> grow, grew, grown."
    return frozenset({word, *(form for family in _FAMILIES if word in family for form in family)})
