"""Study items from notes, by grammar alone: no model has a part in this.

words, inflect, person    forms of words; the user as I and as you
clause, chunks, parse     a note becomes clauses that can be said, asked and denied
asking, generic, frames   questions from a clause: from its parts, and from what people often say
distract, others          wrong values; what changed, what is others', what was never said, contexts
items, lists              wordings; the lists that are shipped
"""
