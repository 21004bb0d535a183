"""Everything that can go wrong, as a person is told of it.

    PocketError
    |-- BadInput          a file, a line or a value that was typed
    |-- NotFound          a name that nothing answers to
    |-- MissingPart       a package, a compiler, weights: something to install
    |-- ModelError        a base model's file, tokenizer or template is not what its card says
    |-- AdapterError      an adapter that is torn, altered, or made for another base
    |-- JournalError      the SQLite journal cannot be read or written
    |   |-- JournalDamaged    rows do not hash to what was recorded
    |   `-- JournalTooNew     written by a newer pocketsleep
    |-- Busy              another process holds what this one needs
    `-- NightInterrupted  the night was stopped; the next `sleep` continues it

Raised anywhere; turned into text in `cli.main` only.
"""


class PocketError(Exception):
    "Told to the person as `error:` and `hint:`, never as a traceback."

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class BadInput(PocketError):
    "A file, a line or a value that was typed is not what was expected."


class NotFound(PocketError):
    "Nothing answers to this name."


class MissingPart(PocketError):
    "Something has to be installed first."


class ModelError(PocketError):
    "A base model's file, tokenizer or template is not what its card says."


class AdapterError(PocketError):
    "An adapter is torn, altered, or made for another base."


class JournalError(PocketError):
    "The journal cannot be read or written."


class JournalDamaged(JournalError):
    "Rows do not hash to what was recorded."


class JournalTooNew(JournalError):
    "The journal was written by a newer pocketsleep."


class Busy(PocketError):
    "Another process holds what this one needs."


class NightInterrupted(PocketError):
    "The night was stopped; the next `sleep` continues it."
