"""Listening by rules: what of a user's words becomes a memory, and what must not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pocketsleep.errors import BadInput
from pocketsleep.night.extract import Extracted, extract, slot, told, verify
from pocketsleep.night.gather import Gathered
from pocketsleep.night.listen.grounding import empty
from pocketsleep.night.listen.provenance import own_words
from pocketsleep.night.listen.sentences import clauses, expand, sentences
from pocketsleep.night.listen.voice import about_user, base_form, third_person
from pocketsleep.nouns import Cite, Episode, Feedback, Memory, Turn


def hear(*messages: str, live: tuple[str, ...] = (), feedback: tuple[Feedback, ...] = ()) -> Extracted:
    "Extract from a conversation of these user messages."
    turns = tuple(Turn("user", m, said_at="2026-05-04") for m in messages)
    episode = Episode("e", turns, feedback=feedback)
    cites = tuple(Cite("e", i) for i in range(len(turns)))
    return extract(Gathered((episode,), cites, ()), [Memory(text) for text in live])


def texts(*messages: str, live: tuple[str, ...] = ()) -> list[str]:
    return [m.text for m in hear(*messages, live=live).memories]


STATED = [
    ("I'm allergic to hazelnuts, properly, swollen lips and all.", "The user is allergic to hazelnuts."),
    ("my husband Cledwyn thinks it is too late", "The user's husband is called Cledwyn."),
    ("A note to Ottilie Brankin, she's our accountant.", "The user's accountant is Ottilie Brankin."),
    ("as my whippet Tarragon sheds, which hoover?", "The user's whippet is called Tarragon."),
    ("My daughter's horse is called Bolt.", "The user's daughter's horse is called Bolt."),
    ("i've got a dog called Rex", "The user has a dog called Rex."),
    ("We live in Llanidloes, above the bakery.", "The user lives in Llanidloes."),
    ("btw i play the euphonium in the town band", "The user plays the euphonium in the town band."),
    ("I work as a bookkeeper at the abattoir.", "The user works as a bookkeeper at the abattoir."),
    ("I was born in Swansea in 1961.", "The user was born in Swansea in 1961."),
    ("my birthday is 4 May", "The user's birthday is 4 May."),
    ("We moved to Talgarth in 2019.", "The user moved to Talgarth in 2019."),
    ("I dont eat meat or fish so no steak", "The user does not eat meat or fish."),
    ("im red-green colorblind (deutan)", "The user is red-green colorblind."),
    ("I've been a widower since 2011.", "The user has been a widower since 2011."),
    ("I can't stand the smell of lilies", "The user cannot stand the smell of lilies."),
    ("my brother fixes old radios", "The user's brother fixes old radios."),
    ("Mondays are my day off now", "The user's day off is Mondays."),
    ("We leave Swakopmund on 12 December.", "The user leaves Swakopmund on 12 December."),
    ("Since the new hip I cannot climb a ladder.", "The user cannot climb a ladder since the new hip."),
    ("my friend Petra is vegetarian", "The user's friend Petra is vegetarian."),
    ("I hate quince, in any form.", "The user hates quince."),
    ("I work on Fridays in Hay, could you move the call?", "The user works on Fridays in Hay."),
    ("please remember that I park behind the chapel", "The user parks behind the chapel."),
]

PRESUMED = [
    ("what can I cook for my son who is coeliac?", "The user's son is coeliac."),
    ("is this safe with my asthma?", "The user has asthma."),
    ("what is good for my nut allergy?", "The user has a nut allergy."),
    ("As a midwife I like long walks, so where next?", "The user is a midwife."),
    ("can my two dogs eat this?", "The user has two dogs."),
    ("a book for my six-year-old daughter?", "The user's daughter is six years old."),
    ("our cat, a tabby, is lost", "The user's cat is a tabby."),
    ("where is our orchard, Cae Glas, on the map?", "The user's orchard is called Cae Glas."),
    ("new tyres for my Yamaha scooter?", "The user has a Yamaha scooter."),
    ("Sign it Meg Price.", "The user signs as Meg Price."),
]


@pytest.mark.parametrize(("said", "memory"), PRESUMED)
def test_what_a_question_takes_for_granted_is_heard(said, memory):
    assert memory in texts(said)


@pytest.mark.parametrize(("said", "memory"), STATED)
def test_a_statement_becomes_one_sentence_about_the_user(said, memory):
    assert memory in texts(said)


WISHED = [
    ("when I say MARKET give me the prices in euros",
     "When the user says MARKET, the assistant should give the user the prices in euros."),
    ("always give me ounces", "The user wants the assistant to always give the user ounces."),
    ("Please don't call me before 11.", "The user does not want to be called before 11."),
    ("please stop giving me watts", "The user wants no watts."),
    ("No emoji for me again.", "The user wants no emoji."),
    ("When you give me restaurants put the price first",
     "The user wants the assistant to put the price first when it gives the user restaurants."),
    ("call me Meg", "The user wants to be called Meg."),
    ("wind in knots, every time", "The user always wants wind in knots."),
]  # fmt: skip


@pytest.mark.parametrize(("said", "memory"), WISHED)
def test_a_lasting_wish_is_kept(said, memory):
    assert memory in texts(said)


NOTHING = [
    ("Do I have diabetes?", "question"),
    ("If I had a boat I would live in Rhyl.", "hypothetical"),
    ("I'm tired today and my head is sore", "for now"),
    ("I'm not a vegetarian.", "denial"),
    ("haha I live in the fridge now", "joke"),
    ("My alarm code is 4471 and I live in Hay.", "secret"),
    ("I think I live too far away.", "belief"),
    ("She is my favourite and he lives with me.", "unresolved"),
    ("Let's pretend I'm a pirate and I live in Tortuga.", "pretended"),
    ("My tractor is called Tractor.", "empty"),
]


@pytest.mark.parametrize(("said", "reason"), NOTHING)
def test_what_is_not_so_is_dropped_with_its_reason(said, reason):
    heard = hear(said)
    assert heard.memories == ()
    assert reason in {d.reason.split(":")[0] for d in heard.dropped}
    assert all(d.cite == Cite("e", 0) and d.reason.split(": ")[1] for d in heard.dropped)


@pytest.mark.parametrize(
    "said",
    ["make me a table of my shifts", "write a note saying I live in Rome", "there was a full stop in C41",
     "what is the capital of Peru", "thanks, that is all"],
)  # fmt: skip
def test_a_task_is_no_memory(said):
    assert hear(said).memories == ()


FOREIGN = [
    "Here's her mail:\n\nDear Tom,\nI'm vegan and I live in Leeds.\nBest,\nAnn",
    'He wrote "I am vegan and I live in Leeds" to me.',
    "> I'm vegan and I live in Leeds.",
    "```\n# I live in Leeds\n```",
    "Translate this: I'm vegan and I live in Leeds.",
    "From: Ann\nSubject: hello\nI live in Leeds.",
    "Read https://example.org/about where I live in Leeds is said.",
    "Is this real?\n---\nI live in Leeds.\n---\n",
    "“I am vegan. I live in Leeds and my dog is called Rex.”",
]


@pytest.mark.parametrize("said", FOREIGN)
def test_the_words_of_others_are_never_the_users(said):
    assert hear(said).memories == ()


def test_own_words_after_a_signed_letter_are_heard():
    said = "Her mail is this.\n\nDear Tom,\nI live in Leeds.\nBest,\nAnn\n\nBy the way, I live in Hay."
    assert texts(said) == ["The user lives in Hay."]


def test_a_short_quotation_names_a_word_and_stays():
    own, aside = own_words('when I write "gotas" ask me twice')
    assert len(own) == 1
    assert aside == []


def test_spans_cover_a_message_without_overlap():
    said = 'I live in Hay. "He said I am far too old for this" and\n> quoted\nthe end'
    own, aside = own_words(said)
    spans = sorted((s.start, s.end) for s in own + aside)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert any(said[s.start : s.end].startswith("I live") for s in own)


def test_pretence_lasts_until_the_user_leaves_it():
    game = ("let's pretend I'm a pirate", "My ship is called Nell and I live in Cork.")
    heard = hear(*game, "end of game. I live in Hay.")
    assert [(m.text, m.cites) for m in heard.memories] == [("The user lives in Hay.", (Cite("e", 2),))]


@pytest.mark.parametrize("opening", ["You be Auntie Saroja, the marriage broker.", "ok, you be an ogre"])
def test_a_part_that_is_handed_out_opens_a_pretended_world(opening):
    assert hear(f"{opening} I live in Cork.").memories == ()
    assert hear("You be careful. I live in Cork.").memories


def test_private_turns_are_not_even_context():
    episode = Episode(
        "e", (Turn("user", "My aunt Ida is here", private=True), Turn("user", "She hates quince."))
    )
    assert extract(Gathered((episode,), (Cite("e", 1),), ()), []).memories == ()


def test_assistant_turns_are_never_heard():
    episode = Episode("e", (Turn("assistant", "You live in Leeds. I live in Leeds."), Turn("user", "no")))
    assert extract(Gathered((episode,), (Cite("e", 0), Cite("e", 1)), ()), []).memories == ()


def test_a_pronoun_takes_the_one_person_it_can_mean():
    assert "The user's dog Rex hates thunder." in texts("My dog Rex is seven.", "He hates thunder.")
    assert texts("My aunt Ida and my aunt Eda are here. She hates thunder.") == [
        "The user's aunt is called Ida.", "The user's aunt is called Eda.",
    ]  # fmt: skip


def test_it_takes_the_thing_spoken_of():
    said = "The museum site is my spring project. It goes live on 17 April."
    assert "The user's spring project goes live on 17 April." in texts(said)


def test_the_same_thing_said_twice_is_one_memory_with_two_cites():
    heard = hear("I live in Hay.", "As I live in Hay, where is the nearest train?")
    assert [m.cites for m in heard.memories] == [(Cite("e", 0), Cite("e", 1))]


def test_what_is_known_is_not_learnt_again():
    heard = hear("I live in Hay.", live=("The user lives in Hay.",))
    assert heard.memories == ()
    assert heard.dropped[0].reason.startswith("known")
    assert [(m.text, m.cites) for m in heard.again] == [("The user lives in Hay.", (Cite("e", 0),))]


SUPERSEDING = [
    ("the roof will be zinc after all", "The user's roof will be slate.", "The user's roof will be zinc."),
    ("we moved the stall to Talgarth", "The user's stall is in Brecon.",
     "The user's stall has moved to Talgarth."),
    ("not before 1pm now", "The user does not want to be called before 11.",
     "The user does not want to be called before 1pm."),
    ("we've moved to Hay", "The user lives in Brecon.", "The user has moved to Hay."),
    ("my sister is called Mair, not Mari", "The user's sister is called Mari.",
     "The user's sister is called Mair."),
    ("I press on Saturdays.", "The user presses on Sundays.", "The user presses on Saturdays."),
    ("Our vet is Dr Havard now.", "The user's vet is Dr Pugh.", "The user's vet is Dr Havard."),
    ("The concert has been moved to 3 June", "The user's concert is on 1 June.",
     "The user's concert has moved to 3 June."),
]  # fmt: skip


@pytest.mark.parametrize(("said", "old", "new"), SUPERSEDING)
def test_a_new_value_supersedes_the_old(said, old, new):
    (memory,) = hear(said, live=("The user hates quince.", old)).memories
    assert (memory.text, memory.supersedes) == (new, Memory(old).id)


def test_nothing_is_replaced_twice_in_a_day():
    first, second = hear("my vet is Ann now", "no wait, my vet is Bea now", live=("The user's vet is Cy.",)).memories
    assert (first.supersedes, second.supersedes) == (Memory("The user's vet is Cy.").id, first.id)
    first, second = hear("my choir is on Fridays now", "my choir is on Mondays now, not Tuesdays",
                         live=("The user's choir is on Tuesdays.",)).memories
    assert (first.supersedes, second.supersedes) == (Memory("The user's choir is on Tuesdays.").id, first.id)


def test_another_friend_supersedes_nobody():
    (memory,) = hear("my friend Petra came", live=("The user's friend is called Ana.",)).memories
    assert memory.supersedes == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The user lives in Hay.", "The user moved to Cork.", True),
        ("The user's vet is called Ann.", "The user's vet is Dr Lee.", True),
        ("The user's friend is called Ann.", "The user's friend is called Lee.", False),
        ("The user is allergic to nuts.", "The user is allergic to eggs.", False),
        ("The user's roof is slate.", "The user's roof will be zinc.", True),
        ("The user trains at 5:30.", "The user trains at 6:30.", True),
        ("The user trains at 5:30.", "The user trains on Mondays.", False),
    ],
)
def test_slots(one, other, same):
    assert (slot(Memory(one)) == slot(Memory(other))) is same


def test_every_memory_is_well_formed_and_grounded():
    for said, _ in (*STATED, *WISHED, *PRESUMED):
        for memory in hear(said).memories:
            assert memory.text.startswith(("The user", "When the user"))
            assert memory.text.endswith(".")
            assert memory.answer in memory.text
            assert len(memory.answer.split()) <= 6
            assert memory.since == "2026-05-04"
            assert verify(memory, said)


def test_verify_finds_a_word_that_was_never_said():
    assert verify(Memory("The user plays the harp."), "i play harp")
    assert not verify(Memory("The user plays the harp in Cork."), "i play harp")


@pytest.mark.parametrize(
    ("said", "answer", "kind"),
    [
        ("I'm allergic to hazelnuts", "hazelnuts", "fact"),
        ("my wife is called Ana", "Ana", "relation"),
        ("I prefer trains to planes", "trains", "preference"),
        ("when I say LOT list the covers by town", "covers by town", "procedure"),
        ("when I say PARK IT put the idea away until October", "October", "procedure"),
    ],
)
def test_answer_and_kind(said, answer, kind):
    (memory,) = hear(said).memories
    assert (memory.kind, memory.answer in (answer, answer.split(" by")[0])) == (kind, True)


def test_a_correction_in_feedback_counts_only_as_a_lasting_wish():
    notes = (Feedback(0, "down", "Always give me ounces. I live in Rome."),)
    heard = hear("hm", feedback=notes)
    assert [m.text for m in heard.memories] == [
        "The user wants the assistant to always give the user ounces."
    ]


@pytest.mark.parametrize(("answer", "correction", "live", "found"), [
    ("Your dog is called Fen.", "No, it's Moss, not Fen.", "The user's dog is called Fen.", "The user's dog is called Moss."),
    ("Your cat is called... you haven't told me that.", "Gus", "", "The user's cat is called Gus."),
    ("You live in... you haven't told me that.", "I live in Stromness.", "", "The user lives in Stromness."),
    ("Your choir's summer concert is in the old Corn Exchange at Hadleigh.", "Ipswich",
     "The user's choir's summer concert is in the old Corn Exchange at Hadleigh.",
     "The user's choir's summer concert is in the old Corn Exchange at Ipswich."),
    ("Paris is the capital of Italy.", "Rome", "", ""),
    ("Dear Sir, my sister is called Otto.", "Dear Sir, my sister is called Ottoline.", "", ""),
    ("Your dog is called Fen.", "Write it as a poem of four lines with a rhyme please", "The user's dog is called Fen.", ""),
])
def test_what_an_answer_about_the_person_is_corrected_to(answer, correction, live, found):
    turns = (Turn("user", "what is it?"), Turn("assistant", answer))
    known = [Memory(live, answer=live.rstrip(".").split()[-1])] if live else []
    said = Episode("e", turns, feedback=(Feedback(1, "down", correction),))
    heard = extract(Gathered((said,), (Cite("e", 0),), ()), known)
    assert [m.text for m in heard.memories] == ([found] if found else [])
    assert all(m.supersedes == (known[0].id if known else "") and m.cites == (Cite("e", 1),) for m in heard.memories)


def test_extraction_is_deterministic():
    said = " ".join(s for s, _ in STATED)
    assert hear(said) == hear(said)


def test_a_very_long_message_is_heard_at_its_ends_only():
    said = "I live in Hay.\n\n" + "My dog is called Rex.\n\n" * 40_000 + "I hate quince."
    assert texts(said) == ["The user lives in Hay.", "The user hates quince."]


def test_told_as_it_is():
    memory = told("The user's vet is Dr Lee.", None, [Memory("The user's vet is Ann.")], "2026-05-04")
    assert memory == Memory(
        "The user's vet is Dr Lee.", (), "relation", "Dr Lee", Memory("The user's vet is Ann.").id,
        told=True, since="2026-05-04",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("my dog is called rex", "The user's dog is called Rex."),
        ("I live in Hay", "The user lives in Hay."),
        ("I think in pictures", "The user thinks in pictures."),
        ("when I say LOT list the covers", "When the user says LOT, the assistant should list the covers."),
        ("The user hums", "The user hums."),
    ],
)
def test_told_in_the_first_person(said, text):
    memory = told(said, None, [])
    assert (memory.text, memory.told) == (text, True)


def test_told_may_name_what_it_supersedes():
    old = Memory("The user's horse is called Bolt.")
    assert told("The user rides Ned.", "the user's horse is called Bolt", [old]).supersedes == old.id
    with pytest.raises(BadInput, match="no live memory says"):
        told("The user rides Ned.", "The user's horse is called Max.", [old])


@pytest.mark.parametrize("said", ["", "  ", "Paris"])
def test_told_refuses_what_is_about_nobody(said):
    with pytest.raises(BadInput):
        told(said, None, [])


def test_sentences_keep_their_offsets():
    said = "hi Dr. Lee... I live in Hay, ok? yes"
    found = sentences(said, 0, len(said))
    assert [said[s.start : s.end] for s in found] == [s.text for s in found]
    assert [s.text for s in found] == ["hi Dr. Lee...", "I live in Hay, ok?", "yes"]


def test_clauses_keep_times_and_conjunctions():
    found = clauses(expand("im up at 6:30 and I train, but we dont row if it rains"))
    assert [(c.link, c.text) for c in found] == [
        ("", "I am up at 6:30"), ("and", "I train"), ("but", "we do not row"), ("if", "it rains"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "form"), [("play", "plays"), ("study", "studies"), ("have", "has"), ("watch", "watches")]
)
def test_verbs_agree_and_back(verb, form):
    assert third_person(verb) == form
    assert base_form(form) == verb


def test_person_change():
    assert about_user("my wife and I live with me mum near our farm") == (
        "the user's wife and the user lives with the user mum near the user's farm"
    )


@pytest.mark.parametrize(("note", "says_nothing"), [
    ("The user's macsen is Macsen.", True), ("The user's band is called the band.", True), ("The user's cats are cats.", True),
    ("The user's cat is called Gus.", False), ("The user's day off is Tuesday.", False), ("The user is a cook.", False),
])
def test_a_thing_that_is_itself_is_no_memory(note: str, says_nothing: bool) -> None:
    assert empty(note) is says_nothing
