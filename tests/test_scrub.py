"""What must never be written down, and what must be left as it was said."""

import base64
import json
import random
import re
import string
import time
from dataclasses import replace

import pytest

from pocketsleep.journal import Journal
from pocketsleep.journal.scrub import scrub, scrub_turns
from pocketsleep.journal.shapes import is_card, is_iban, luhn
from pocketsleep.nouns import Episode, Feedback, Turn

re_compile = re.compile
DRAW = random.Random(20)
LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
ALNUM, HEX = LOWER + UPPER + DIGITS, "0123456789abcdef"


def some(alphabet: str, length: int) -> str:
    "Random characters, a digit and a letter among them."
    drawn = "".join(DRAW.choice(alphabet) for _ in range(length - 2))
    return drawn + DRAW.choice([c for c in alphabet if c in DIGITS] or alphabet) + DRAW.choice(alphabet)


def card(prefix: str, length: int, gap: str = "") -> str:
    digits = prefix + "".join(DRAW.choice(DIGITS) for _ in range(length - len(prefix) - 1))
    digits += next(d for d in DIGITS if luhn(digits + d))
    return gap.join(digits[i : i + 4] for i in range(0, length, 4)) if gap else digits


def iban(country: str, account: str, gap: str = "") -> str:
    numbers = "".join(str(int(c, 36)) for c in account + country + "00")
    plain = f"{country}{98 - int(numbers) % 97:02d}{account}"
    return gap.join(plain[i : i + 4] for i in range(0, len(plain), 4)) if gap else plain


def jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": some(ALNUM, 12), "iat": 1516239022})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts),
                     some(ALNUM + "-_", 43)])


def key_block(kind: str) -> str:
    lines = "\n".join(some(ALNUM + "+/", 64) for _ in range(4))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


CANARIES = [  # (secret, sentence around it)
    *((key, "so I set OPENAI to {} and it still says 401") for key in ("sk-" + some(ALNUM, 48),)),
    ("sk-proj-" + some(ALNUM + "-_", 60), "{}"),
    ("sk-ant-api03-" + some(ALNUM + "-_", 80), "does {} look complete to you?"),
    ("sk_live_" + some(ALNUM, 24), "In the shop settings I pasted {}, is that fine?"),
    ("rk_test_" + some(ALNUM, 24), "restricted one: {}"),
    ("whsec_" + some(ALNUM, 32), "the hook needs {}"),
    ("AKIA" + some(UPPER + DIGITS, 16), "aws configure said {} then asked for more"),
    (some(ALNUM + "+/", 40), "aws_secret_access_key = {}"),
    ("ghp_" + some(ALNUM, 36), "git push https with {}"),
    ("github_pat_" + some(ALNUM, 60), "I made {} yesterday"),
    ("glpat-" + some(ALNUM, 20), "gitlab gave me {}."),
    ("xoxb-" + some(DIGITS, 12) + "-" + some(ALNUM, 24), "bot: {}"),
    ("T0" + some(UPPER + DIGITS, 8) + "/B0" + some(UPPER + DIGITS, 8) + "/" + some(ALNUM, 24),
     "post to https://hooks.slack.com/services/{} when done"),
    ("AIza" + some(ALNUM + "-_", 35), "maps uses {}"),
    ("ya29." + some(ALNUM + "-_", 60), "token {}"),
    ("SG." + some(ALNUM, 22) + "." + some(ALNUM, 43), "sendgrid: {}"),
    ("SK" + some(HEX, 32), "twilio {} is active"),
    ("npm_" + some(ALNUM, 36), "npm login wanted {}"),
    ("pypi-" + some(ALNUM + "-_", 80), "twine upload -p {}"),
    ("hf_" + some(ALNUM, 34), "download with {}"),
    ("shpat_" + some(HEX, 32), "the shop app has {}"),
    ("dop_v1_" + some(HEX, 64), "droplet {}"),
    ("dapi" + some(HEX, 32), "databricks: {}"),
    (some(DIGITS, 9) + ":AA" + some(ALNUM + "-_", 33), "the telegram bot is {}"),
    ("AGE-SECRET-KEY-1" + some(UPPER + DIGITS, 58), "backup is sealed by {}"),
    ("hvs." + some(ALNUM, 24), "vault login {}"),
    ("gsk_" + some(ALNUM, 52), "use {} for the fast one"),
    (jwt(), "Authorization: Bearer {}"),
    (jwt(), "the cookie holds {} I think"),
    (key_block("RSA "), "my server key:\n{}\nwhere does it go?"),
    (key_block("OPENSSH "), "{}"),
    (key_block(""), "Here it is\n\n{}"),
    (some(ALNUM, 40), "curl -H 'Authorization: Bearer {}' localhost"),
    (some(ALNUM, 32), "my api key is {} for the weather site"),
    (some(HEX, 32), "API_KEY={}"),
    (some(HEX, 40), "client secret: {}"),
    (some(ALNUM + "_-", 28), 'const token = "{}";'),
    (some(HEX, 64), "the signing secret we use is {}"),
    (some(ALNUM, 44), "{}"),
    ("h4rbour!Lamp", "postgres://app:{}@db.internal:5432/shop"),
    ("s3cr3tPancake", "mongodb+srv://cook:{}@cluster0.abcde.mongodb.net/test"),
    ("Quince77", "amqp://guest:{}@rabbit/vhost"),
    (some(ALNUM + "+/", 86) + "==", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};"),
    (card("4", 16, " "), "My card is {} and it expires in May"),
    (card("52", 16), "charged to {}"),
    (card("37", 15), "amex {} please"),
    (card("6011", 16, "-"), "try {}"),
    (iban("DE", "370400440532013000", " "), "Send it to {} thanks a lot"),
    (iban("GB", "WEST12345698765432"), "the landlord's account, {}, every month"),
    (iban("FR", "20041010050500013M02606"), "iban: {}"),
    (iban("NL", "ABNA0417164300"), "pay {} before Friday"),
    ("Marmalade-88", "the wifi password is {}"),
    ("tarragon", "The Wi-Fi password at the cottage is {}."),
    ("Blue!Kettle9", "password: {}"),
    ("gooseberry", "password: {}"),
    ("Otter#2291", "pw: {} for the old laptop"),
    ("hunter22", "username bob password {}"),
    ("correct horse battery staple", 'my passphrase is "{}"'),
    ("velvet anchor pumpkin sunrise", "the passphrase is {}."),
    ("Zw3tschge!", "Passwort: {}"),
    ("Apfelbaum9", "das WLAN-Passwort lautet {}"),
    ("Fromage75", "le mot de passe est {}"),
    ("Girasol!3", "la contraseña es {}"),
    ("Plum&Custard1", "I changed it, {} is my new password"),
    ("Rhubarb_2024", "Log in as admin with {} as the password"),
    ("1234", "my pin is {}"),
    ("4821", "the card's PIN is {} if you need it"),
    ("990147", "passcode {}"),
    ("2580", "phone unlock code: {}"),
    ("4417#", "The alarm code is {}"),
    ("12-34-56", "the combination of the safe is {}"),
    ("C4415X", "the door code is now {}"),
    ("7305", "just type {} as the PIN"),
    ("381", "the cvv is {}"),
    ("839201", "Your verification code is {}"),
    ("abandon ability able about above absent absorb abstract absurd abuse access accident".replace(
        "about above", "orbit velvet"), "my seed phrase is {}"),
    ("hx-Quiet-Lark-20", "network key: {}"),
    ("QQ 12 34 56 C".replace("QQ", "TK"), "My National Insurance number is {}"),
    ("536-22-8714", "ssn {}"),
    ("Sup3rS3cret", "DB_PASSWORD={}"),
    ("sw0rdfish!", "My bank's password was changed to {} last week"),
    ("Mango.Tree.19", "for netflix use mum@example.com, password Mango.Tree.19"),
]

ORDINARY = """
I forgot my password again.
My password is too long to remember.
The password is wrong, it says.
What is a good password?
A password should be long and random.
I changed my password yesterday because the old one had expired.
My wifi password isn't working any more.
The password is the same as before.
My pin is bent, the one in the hinge.
I dropped three pins on the carpet.
She pinned the note to the board at 1230.
The code is on the back of the box.
The door code has changed, ask Priya.
I wrote some code in 2019.
I have 3 children and 12 grandchildren.
We moved here in 1987 and left in 2004.
My phone number is in the book.
The meeting is at 10:30 on 14 March 2025.
I run 10 km in 52 minutes.
The recipe needs 250 g of flour and 125 g of butter.
My flight is BA0117 to New York.
The invoice number is 20394857.
The parcel's tracking number is 1Z999AA10123456784.
ISBN 978-0-14-044913-6 is the book I mean.
The population was 1 428 627 663 in 2023.
Pi is 3.14159265358979323846.
Call the office on 020 7946 0958.
Our postcode is SW1A 1AA.
The key to a good soup is patience.
She has the key to the shed.
The secret to his bread is a slow rise.
It is a secret ingredient, a pinch of cardamom.
I need a token for the car wash.
As a token of thanks I baked a cake.
My login does not work since Monday.
The combination of basil and peach is lovely.
A combination of 3 or 4 herbs works best.
The pass over the mountain is closed.
He passed the exam with 87 percent.
The pass mark is 40 out of 100.
I like the C major key best.
Press the F5 key to refresh.
The secretary is called Margaret Thornbury.
My son's school is called St. Bartholomew's.
The tan line is still there.
My account is overdrawn by 1800 pounds.
The safe choice is the blue one.
I live at 221 Baker Street, flat 4.
The commit is 9fceb02d0ae598e95dc970b74767f19372d61af8.
Its id is 123e4567-e89b-12d3-a456-426614174000.
See https://example.com/articles/2024/05/17/how-to-prune-an-apple-tree for more.
Write to margaret.thornbury@example.org about it.
The password manager that I use is open source.
Is my password safe?
Please remind me to reset my password.
The token ring network is from 1985.
My lock is a five-pin tumbler.
Basic understanding of algebra helps.
The bearer of this letter is my cousin.
My allergy is hay fever, and the pin oak is to blame.
Her PIN was stolen last year.
I never tell anyone my PIN.
Our gate code changes every month.
The security guard is named Okonkwo.
I was born on 04.07.1976.
The serial number plate is beside the screw, look for 1893.
My password manager is called Bitkeeper.
Version 3.51.3 fixed it.
The train leaves platform 9 at 18:05 and arrives at 19:47.
My favourite number is 1729.
The lottery numbers were 4 8 15 16 23 42.
The cafe's passion fruit tart is 4.50.
""".strip().splitlines()


@pytest.mark.parametrize(("secret", "sentence"), CANARIES)
def test_a_planted_secret_goes(secret, sentence):
    text, kinds = scrub(sentence.format(secret))
    assert secret not in text
    assert kinds, text
    for part in secret.split("\n")[1:-1] or [secret]:  # no line of a key block stays
        assert part not in text
    assert scrub(text) == (text, [])


def test_there_are_enough_cases():
    assert len(CANARIES) >= 64
    assert len({secret for secret, _ in CANARIES}) == len(CANARIES)
    assert len(ORDINARY) >= 60


@pytest.mark.parametrize("sentence", ORDINARY)
def test_an_ordinary_sentence_stays(sentence):
    assert scrub(sentence) == (sentence, [])


def test_words_around_a_secret_stay():
    text, kinds = scrub("The wifi password is Plum-4471, and my dog is called Tarragon.")
    assert text == "The wifi password is [secret: password], and my dog is called Tarragon."
    assert kinds == ["password"]


def test_several_secrets_keep_their_own_labels():
    number = card("4", 16, " ")
    text, kinds = scrub(f"pin 4471 for card {number}, password: Plum-4471, and [secret: iban] from before")
    assert text == ("pin [secret: pin] for card [secret: card number], password: [secret: password], "
                    "and [secret: iban] from before")
    assert sorted(kinds) == ["card number", "password", "pin"]


def test_check_digits_decide():
    number = card("4", 16)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert is_card(number)
    assert not is_card(wrong)
    account = iban("DE", "370400440532013000")
    assert is_iban(account)
    assert not is_iban(account[:-1] + str((int(account[-1]) + 1) % 10))
    assert scrub(f"order {wrong}") == (f"order {wrong}", [])


def test_text_that_cannot_be_stored_is_mended():
    assert scrub("a\ud800b\x00c")[0] == "a\ufffdb\ufffdc"


def test_a_long_message_is_read_to_its_end():
    filler = "The hens laid eleven eggs and the kettle is on. " * 20000
    text, kinds = scrub(filler + "My PIN is 4471. " + filler)
    assert kinds == ["pin"]
    assert len(text) == 2 * len(filler) + len("My PIN is [secret: pin]. ")


def test_a_secret_that_was_told_is_known_again_in_later_turns():
    said = ["Plum-4471 is nice", "My password is Plum-4471.", "I typed Plum-4471 twice, and Plum-44712."]
    assert scrub_turns(said) == ["Plum-4471 is nice", "My password is [secret: password].",
                                 "I typed [secret: password] twice, and Plum-44712."]


@pytest.mark.parametrize("sentence", [
    "My phone number is 415-555-2671", "my phone number: 020 7946 0958", "The postal code is 12345", "My zip code is 90210",
    "my area code is 415", "The error code is 404", "The country code: 044", "The code is 200 lines long",
    "Our door number is 221B", "The building number is 1450", "My locker number is 204", "Tan 2015",
    "My son Tan is 300 days old", "I collect pins, 300 of them", "My squat combination is 100 kg", "My combo is 250 chips",
    "La clave del éxito es trabajar.", "I use 1Password as my password manager", "sk-learn-classification-with-2-classes",
    "key-findings-2024-final", "secret_santa_list_for_2024_family"])
def test_a_number_that_opens_nothing_stays(sentence):
    assert scrub(sentence) == (sentence, [])
    assert scrub_turns([sentence, sentence]) == [sentence] * 2


@pytest.mark.parametrize(("sentence", "secret"), [
    ("my PIN is 4711", "4711"), ("the door code is 4711", "4711"), ("alarm code: 9921", "9921"), ("gate code 4471#", "4471#"),
    ("my pins are 4711", "4711"), ("pins: 4711", "4711"), ("my pin number is 4711", "4711"), ("The code is 4711.", "4711"),
    ("The TAN is 839201", "839201"), ("TAN 839201", "839201"), ("tan: 839201", "839201"), ("combo: 4711", "4711"),
    ("my combo is 12-34-56", "12-34-56"), ("my locker combo is 1234", "1234"), ("my security number is 4711", "4711"),
    ("My library card number is 2291004", "2291004"),  # with it books are borrowed in one's name
    ("clave: girasol", "girasol"), ("mi clave es Girasol3", "Girasol3"), ("la clave del wifi es Girasol3", "Girasol3"),
    ("I use Plum-4471 as my password", "Plum-4471"), ("key-" + "3ax6xnjp29jd6fds4gc373sgvjxteol0", "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"),
    ("secret_" + "aB3dE5fG7hJ9kL1mN3pQ", "secret_aB3dE5fG7hJ9kL1mN3pQ"), ("sk-" + "1234567890123456", "sk-1234567890123456")])
def test_a_number_that_opens_something_goes(sentence, secret):
    text, (kind,) = scrub(sentence)
    assert text == sentence.replace(secret, f"[secret: {kind}]")


def test_a_conversation_of_nothing_but_secrets_takes_no_time(monkeypatch):
    compiled = []
    monkeypatch.setattr("pocketsleep.journal.scrub.re.compile", lambda *given: compiled.append(given) or re_compile(*given))
    said = [f"token ghp_{some(ALNUM, 36)}" for _ in range(300)]
    assert scrub_turns([*said, said[7]]) == ["token [secret: token]"] * 301
    assert len(compiled) <= len(said) + 1, "one pattern at most for a secret that stands in a turn"


TOLD = [  # (the sentence, the secrets in it)
    ("My password for gmail.com is Tarragon77!", "Tarragon77"),
    ("my password on example.co.uk: Xyz12345", "Xyz12345"),
    ("**Password:** Zebulon99!", "Zebulon99"), ("**Password**: Zebulon99!", "Zebulon99"),
    ("__Password__: Zebulon99!", "Zebulon99"), ("<b>Password</b>: Zebulon99!", "Zebulon99"),
    ("`password`: `Zebulon99!`", "Zebulon99!"), ("| password | Tarragon77! |", "Tarragon77!"),
    ("<password>hunter2</password>", "hunter2"), ("password is <b>Xyz99!</b>", "Xyz99"),
    ("I changed my password to Hunter22!", "Hunter22"), ("I've reset the password to hunter2!", "hunter2"),
    ("I had my password changed to Hunter22.", "Hunter22"), ("my password used to be hunter2", "hunter2"),
    ("the password I use everywhere is Tarragon77!", "Tarragon77"), ("The password you gave me is tarragon.", "tarragon"),
    ("The password, by the way, is Tarragon77!", "Tarragon77"),
    ("My password, which I changed yesterday, is Tarragon77!", "Tarragon77"),
    ("DB_PASS=hunter2", "hunter2"), ("REDIS_AUTH=hunter2x9", "hunter2x9"), ('SMTP_PASSPHRASE="lamp oil9"', "lamp"),
    ("curl -u bob:hunter2 https://x.y", "hunter2"), ('curl -s --user "bob:hunter2" https://x.y', "hunter2"),
    ("login: bob:hunter2", "hunter2"), ("Login: bob / hunter2", "hunter2"),
    ("my SSN is 123456789", "123456789"), ("SSN: 123 45 6789", "123 45 6789"),
    ("My social security number is 123 45 6789.", "123 45 6789"),
    ("my api key is abcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
    ("my Gmail password (bob@gmail.com) is Tarragon77!", "Tarragon77"),
    ("my password (Tarragon77!) is weak", "Tarragon77!"), ("my password (P@ss.word1) is weak", "P@ss.word1"),
    ("password: *Tarragon77", "*Tarragon77"),
]


@pytest.mark.parametrize(("sentence", "secret"), TOLD)
def test_a_secret_goes_however_it_is_told_and_nothing_else_does(sentence, secret):
    text, (kind,) = scrub(sentence)
    assert text == sentence.replace(secret, f"[secret: {kind}]")
    assert scrub(text) == (text, [])


@pytest.mark.parametrize("sentence", [
    "I changed my password to something longer", "I changed my password to GitHub yesterday", "The password is on the fridge",
    "I changed the password to my birthday.", "I set up a password for my laptop in 2019", "my password manager is great",
    "I used to be a nurse", "My password used to be weak", "My password used to be terrible.",
    "I reset the password to bob@gmail.com", "With the password I opened it, and my dog is called Zebulon.",
    "With my password I can see that my balance is 300 pounds.", "The password, as I said, is wrong.",
    "| password | required | at least 8 |", "| user | password |\n|---|---|", "my gmail password (bob@gmail.com) is weak",
    "My login: the same as before", "login: 10:30", "user: me/projects2/x", "login: https://example.com/a1", "Login: either / or",
    "docker run -u 1000:1000 image", "SMTP_AUTH=true", "bypass=route66", "author: Smith77", "the mountain pass = closed",
    "My social security office is at 100 High Street", "My api key is straightforwardly useless",
    "My API key is kept in the vault", "I changed the lock and set my alarm to 7:30"])
def test_what_is_said_about_a_secret_stays(sentence):
    assert scrub(sentence) == (sentence, [])


@pytest.mark.parametrize("unit", [
    "password ", "password for a.", "password, ", "my password I use ", "password (", "| password ", "<password>", "**password** ", "password for ",
    "curl -u ", "login: a:", "ssn ", "changed my password to ", "password used to be ", "A_", "_PASS", "my api key is ",
    "clave ", "the code is 1", "pins ", "combo ", "sk-a1-"])
def test_a_long_text_costs_time_in_proportion_to_its_length(unit):
    for end in (unit, " ", "a."):
        text = unit + end * (100_000 // len(end))
        began = time.process_time()
        scrub(text)
        assert time.process_time() - began < 5


def test_a_secret_told_earlier_is_struck_in_what_is_added_later(tmp_path):
    with Journal(tmp_path / "journal.db") as journal:
        talk, other = (Episode(name, (Turn("user", "Hello there."),)) for name in ("talk", "other"))
        told = Turn("user", "My password is Tarragon77, remember.")
        journal.record(replace(talk, turns=(told,)))
        journal.record(other)
        first = journal.extend("talk", [Turn("user", "Does Tarragon77 look strong to you?"), Turn("user", "The token is ghp_" + "a1B2" * 9)])
        journal.extend("talk", [Turn("assistant", f"ghp_{'a1B2' * 9} and Tarragon77 are long.")])
        journal.extend("other", [Turn("user", "Does Tarragon77 look strong to you?")])
        journal.add_feedback("talk", Feedback(first, "down", "Tarragon77 is weak."))
        kept = journal.episode("talk")
        assert [turn.text for turn in kept.turns[first:]] == [
            "Does [secret: password] look strong to you?", "The token is [secret: token]", "[secret: token] and [secret: password] are long."]
        assert kept.feedback[0].correction == "[secret: password] is weak."
        assert "Tarragon77" in journal.episode("other").turns[1].text, "of another conversation nothing is known"
        assert journal.record(replace(talk, turns=(told,))).added_turns == 0


def test_secrets_are_kept_in_mind_as_long_as_their_conversation_and_of_few(tmp_path, monkeypatch):
    monkeypatch.setattr("pocketsleep.journal.turns._TALKS_IN_MIND", 3)
    with Journal(tmp_path / "journal.db") as journal:
        for number in range(5):
            journal.record(Episode(f"talk-{number}", (Turn("user", f"My password is Tarragon7{number}, remember."),)))
        assert list(journal._told) == ["talk-2", "talk-3", "talk-4"]
        journal.forget("talk-3")
        journal.rehearse([Episode("preview", (Turn("user", "My password is Tarragon99, remember."),))])
        assert list(journal._told) == ["talk-2", "talk-4"], "what is forgotten goes, and what is only looked at never comes"
    with Journal(tmp_path / "journal.db") as journal:
        assert not journal._told
        journal.extend("talk-4", [Turn("user", "Tarragon74 again")])
        assert journal.episode("talk-4").turns[1].text == "Tarragon74 again"


@pytest.mark.parametrize("sentence", [
    "The password of the user's hostel is Pulpo_77.",
    "It takes a cutting pass: that's how you take a poem.",
    "Card 5204 7719 0036 4482 exp 11/29", "this thing 4417 0392 8855 6120, is it mine?",
    "do not fill the iban, it's ES71 2100 0813 6101 2345 6789 and she",
    "the lock code 55-0917-KX has been reset", "The repeater code is *7741#A."])
def test_where_the_secret_begins_and_ends(sentence):
    told = {"Pulpo_77": "password", "5204 7719 0036 4482": "card number",
            "4417 0392 8855 6120": "card number", "ES71 2100 0813 6101 2345 6789": "iban",
            "55-0917-KX": "pin", "*7741#A": "pin"}
    expected = sentence
    for secret, kind in told.items():
        expected = expected.replace(secret, f"[secret: {kind}]")
    assert scrub(sentence)[0] == expected
