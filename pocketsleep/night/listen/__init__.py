"""Listening: what of a person's own words deserves to be remembered, by rules alone.

    provenance   which spans of a message are the person's own words
    sentences    sentences and clauses, with contractions written out
    frames       what cannot be believed: pretence, jokes, questions, secrets, passing states
    people       relations: "my husband Kwabena", "Mr Baidoo, our landlord"
    statements   "I have coeliac disease", "our stall is open on Saturdays"
    standing     lasting wishes: "when I type MARKET ...", "always give me ounces"
    voice        person change: I -> the user, my -> the user's, with the verb agreeing
    slots        what a memory is about, and so what it replaces
    when         which of two things was said first
    grounding    every content word of a memory was said

Precision comes before recall: what no rule understands is not kept.
"""
