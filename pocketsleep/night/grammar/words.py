"Closed and half-open classes of English words: verbs, auxiliaries, kin, roles, animals, measures, time."

from __future__ import annotations

from pocketsleep.journal.irregular import IRREGULAR


def wordlist(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def wordset(text: str) -> frozenset[str]:
    return frozenset(text.split())


VERBS = wordset(
    """accept accompany ache act add address adopt advise agree aim allow analyse announce answer appear apply
    appreciate arrange arrive ask attach attend avoid bake bathe batch begin belong blend block boil bolt book borrow
    bottle brew bring brush bury call cancel care carry carve catalogue celebrate chair change charge chase chat
    check clean climb close coach code collect combine come commute compare complain compose conduct connect
    consider contain convert cook coordinate copy correct count cover cross cultivate curate cure cycle dance date
    decide deliver demand depend describe design despise detest develop die dip direct discuss dislike distrust
    divide dive doubt draft dread dress drop dry dust earn edit embroider employ end enjoy enter exercise expect
    explain export fail farm fast fear ferment file fill film finish fire fish fit fix flavour fold follow form
    forward foster found gather glaze grade graft greet groom guard guide handle happen hate head heat help
    hike hire host hunt ignore import include indent inherit inspect install instruct intend invest iron issue
    join judge jump keep kick label last laugh launch leak lecture lift like limit list listen live load lock log
    look love maintain manage mark marinate marry match measure mend mention mind miss mix mod monitor mount move
    mow name need nurse observe offer oil open operate order organise organize own owe pack paint park paste
    patch perform photograph pick pickle plan plant plate play plough pour practise practice prefer prepare
    press print process produce program promise proofread prune publish pull pump push qualify quarter rack race
    raise reach receive record recycle refer refuse register rehearse remember remind remove renovate rent repair
    repeat replace reply report request require rescue research reserve rest restart restock restore retire return
    review rinse roast rock roll round row ruin sail salt sand save scan score scratch scrub search season see
    separate serve settle shape share shear sharpen shave ship shop sign skip smoke soak sort sound spare sponsor
    squeak stack stain start stay stir stop store strain strip study suffer suit supervise supply support switch
    table tailor talk tap taste tend test thank time toast tolerate touch trade train translate transport travel
    treat trust try tune turn tutor type underline unplug update upgrade use vaccinate value visit volunteer vomit
    wait walk want warm wash watch water weigh weld whittle wipe wish work worry wrap yearn zip
    abhor adore age babysit back believe bookmark busk campaign choreograph crave crochet declutter deliver
    deploy detail digitise distil distill dodge drill emigrate enrol exhibit explore fancy favour fence filter
    forage frame freelance fundraise garden golf graduate hitchhike home hope host jog juggle kayak knit
    lease lodge lower mail meditate mentor micromanage migrate mill mute narrate navigate neuter outsource overlook
    own paddle panic part preserve quilt quote rear referee relax rely reside resolve reuse revise scribble sculpt
    sketch ski sketch specialise specialize spray sprint squat stammer stream stretch stutter subscribe substitute
    surf survey swap swear swell tattoo teach text tile tip tour track transcribe transplant trek trim undergo
    unwind vote wallpaper weed whistle widow wonder lecture belay blog brief captain cater chop comb compost craft
    crush curl cuddle decorate depart dispatch double draw ease fold follow gallop gut halve harvest hatch head
    hoe hug identify improvise inject juice lace land layer level log mash milk mine mould nap nibble note outline
    pace page pair pasture peel phrase pin plait pluck point polish post pot promote puncture purchase quench
    rake rank rate reckon reheat relocate rig roam rotate saddle scale scoop seal seat shell shelve sieve sift
    simmer sip slice snack sneeze snore solder spar splint sprinkle stock stoke streamline string sweeten swing
    tan teach tether thin tie tick top tow toss trace trap unload unlock vacuum vary wade wax wire withhold yawn"""
) | frozenset(IRREGULAR)

BE = wordset("is are was were am 's")
HAVE = wordset("has have had")
DO = wordset("does do did")
MODALS = wordset("will would can could may might must shall should ought")
AUXILIARIES = BE | HAVE | DO | MODALS
NEGATIVE = {
    "isn't": "is",
    "aren't": "are",
    "wasn't": "was",
    "weren't": "were",
    "hasn't": "has",
    "haven't": "have",
    "hadn't": "had",
    "doesn't": "does",
    "don't": "do",
    "didn't": "did",
    "won't": "will",
    "wouldn't": "would",
    "can't": "can",
    "cannot": "can",
    "couldn't": "could",
    "mustn't": "must",
    "shouldn't": "should",
    "mightn't": "might",
    "needn't": "need",
}
ADVERBS = wordset(
    """always never only usually often also still now rarely seldom generally sometimes already just mostly mainly
    normally strictly really currently regularly hardly once recently ever soon both all finally deliberately
    absolutely officially secretly originally formerly previously simply personally"""
)
# -s forms that are as often a plural noun as a verb
NOUNY = wordset(
    """lists runs works plays stamps rates keys books covers plants drinks walks sounds files orders notes names
    reports prices shifts hives tests trains watches calls rules signs hours boards marks points tunes races classes
    meetings answers lessons scales places times cards photos letters records labels drops uses dreams talks shows
    prints plans paints shops stores stocks cuts rests breaks packs posts rows rings roasts sports texts lines
    steps results guests needs shares returns visits stacks cooks fires oils seats checks"""
)

KIN = wordset(
    """wife husband partner spouse fiancé fiancée fiance fiancee girlfriend boyfriend ex mother father mum
    mam mom dad parents parent son sons daughter daughters child children kid kids baby twin twins boy
    boys girl girls brother brothers sister sisters grandmother grandfather grandma grandpa granny gran
    nan granddad grandad grandson granddaughter grandchildren aunt auntie uncle cousin cousins nephew
    nephews niece nieces stepmother stepfather stepson stepdaughter stepsister stepbrother half-brother
    half-sister mother-in-law father-in-law sister-in-law brother-in-law son-in-law daughter-in-law
    in-laws godmother godfather godson goddaughter widow compadre comadre"""
)
ROLES = wordset(
    """boss landlord landlady tenant lodger flatmate housemate roommate neighbour neighbor friend friends mate colleague
    colleagues coworker co-worker manager supervisor assistant apprentice intern deputy doctor gp dentist hygienist
    vet nurse midwife surgeon consultant cardiologist physio physiotherapist therapist optician oncologist
    dermatologist specialist accountant bookkeeper lawyer solicitor notary agent broker editor publisher translator
    secretary receptionist teacher tutor professor lecturer headteacher principal coach trainer captain instructor
    bandmaster conductor choirmaster drummer bassist guitarist singer pianist organist accompanist supplier farrier
    blacksmith plumber electrician builder carpenter joiner roofer gardener cleaner cook chef baker barber
    hairdresser mechanic driver foreman caretaker architect contractor shepherd priest pastor vicar rabbi imam
    bishop abbot client customer student pupil teammate sponsor mentor carer babysitter nanny childminder
    counsellor psychologist collaborator host hostess photographer organiser mayor guide chiropodist bandleader
    cobbler tailor stylist jeweller butcher grocer greengrocer beekeeper translator interpreter chairside partner"""
)
PETS = wordset(
    """dog puppy bitch cat kitten tom tomcat horse pony mare gelding stallion foal donkey mule rabbit hamster gerbil
    ferret chinchilla tortoise turtle snake lizard gecko parrot budgie budgerigar cockatiel canary hen cockerel
    rooster goose duck goat sheep ram ewe cow bull pig llama alpaca falcon hawk owl kestrel pigeon whippet greyhound
    lurcher labrador spaniel terrier collie sheepdog dachshund poodle beagle mastiff retriever setter pointer
    corgi pug rottweiler husky chihuahua mongrel parakeet rat mouse goldfish axolotl hedgehog camel yak eagle-owl"""
)
VEHICLES = wordset(
    "car van truck lorry bike bicycle motorbike scooter bakkie tractor motorcycle moped pickup jeep trike"
)
TITLES = wordset(
    "Mr Mr. Mrs Mrs. Ms Ms. Miss Dr Dr. Prof Prof. Professor Father Sister Brother Don Doña Sir Rev Uncle Aunt Captain"
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
SEASONS = wordset("spring summer autumn winter fall")
NUMBERS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
)
TENS = wordset("thirty forty fifty sixty seventy eighty ninety hundred thousand")
DAY_PARTS = wordset(
    """morning mornings afternoon afternoons evening evenings night nights noon midday midnight dawn dusk sunrise
    sunset lunchtime breakfast lunch dinner supper bedtime weekend weekends weekdays weekday today tomorrow"""
)
PERIODS = wordset(
    "minute minutes hour hours day days week weeks month months year years term terms season seasons winters "
    "summers decade decades"
)
PREPOSITIONS = wordset(
    """in on at by with without from to into onto for as about of under over behind near beside between before after
    since until till during against through across around along past towards toward outside inside above below
    beneath beyond opposite per than via within off up down out like unlike upon next because"""
)
DETERMINERS = wordset(
    "a an the my your his her its their our no any some this that these those each every all both another"
)
"Verbs that say nothing of their own: a question needs more than them."
VAGUE = wordset(
    "want have be do use keep get need like take make prefer give say own go put let own hate love enjoy wear"
)
HOLDS = wordset("have own keep get")


def is_number(word: str) -> bool:
    "Digits or a number word: 58, 6:59.4, twenty-three, third."
    bare = word.strip(".,;:%").lower()
    first, *others = bare.split("-")
    figure = bare[:1].isdigit() and not any(o.isalpha() for o in others)
    return bool(bare) and (figure or (first in NUMBERS + tuple(TENS) and all(o in NUMBERS for o in others)))


LANGUAGES = wordset(
    """English German French Spanish Italian Portuguese Dutch Danish Swedish Norwegian Finnish Icelandic Polish Czech
    Slovak Slovene Slovenian Croatian Serbian Hungarian Romanian Bulgarian Greek Turkish Arabic Hebrew Farsi Persian
    Pashto Kurdish Urdu Hindi Bengali Punjabi Tamil Japanese Chinese Mandarin Cantonese Korean Vietnamese Thai Malay
    Russian Ukrainian Estonian Latvian Lithuanian Welsh Irish Gaelic Breton Basque Catalan Galician Swahili Yoruba
    Igbo Hausa Zulu Xhosa Afrikaans Latin Esperanto Maltese Albanian Georgian Armenian Tagalog Indonesian Frisian"""
)
"Words that stand alone behind a verb: they are never asked for."
LONE = wordset(
    "only best better worst hard first aloud once twice alone together early late daily weekly again too well badly silently free up "
    "down out off away over back home"
)
MOTION = wordset(
    "go come move drive travel commute fly walk send return cycle emigrate "
    "relocate order buy get take bring carry post ship deliver hail"
)
PLURALS = wordset("children people parents twins in-laws grandparents kids feet teeth mice hens bees staff police")
