"""What invented people write about invented pupils: names nobody has, and sentences by need."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

SURNAMES = (
    "O'Brien-Łukasz",
    "Fictley",
    "Samplewood",
    "Inventworth",
    "Nowhereby",
    "d'Exemple",
    "Imaginard-Þórsson",
    "Madeupson",
    "Pretendleigh",
    "Notreal-Smythe",
    "Storybrook",
    "Ficción Núñez",
)
FORENAMES = (
    "Zosia",
    "Ptarmigan",
    "Indigo",
    "Juniper",
    "Caspian",
    "Saoirse",
    "Björn",
    "Anaïs",
    "Tolly",
    "Wren",
    "Ikenna",
    "Marigold",
)
CARERS = ("mother", "father", "grandmother", "foster carer")

# Primary needs of Norfolk's plans in January 2025, per thousand (DfE EHCP statistics).
NEED_MIX = {
    "SEMH": 284,
    "ASD": 245,
    "SLCN": 216,
    "MLD": 121,
    "PD": 51,
    "SPLD": 31,
    "SLD": 16,
    "OTH": 13,
    "HI": 9,
    "VI": 6,
    "PMLD": 5,
    "MSI": 2,
}


@dataclass(frozen=True)
class Words:
    """What is said about one kind of need, from referral to closing."""

    reason: str
    tried: tuple[tuple[str, str], ...]
    outcomes: tuple[str, ...]
    observed: str
    advice: tuple[tuple[str, str], ...]


SEMH = Words(
    "Most afternoons end with time out of class. Staff are calm and consistent, but we do not"
    " know what comes before it, and the time in class is getting shorter.",
    (
        ("A quiet start with a key adult, every day", "Mornings are better; afternoons the same"),
        ("A card to ask for a break", "Used twice a day, then hardly at all"),
    ),
    ("Stays in class for the first hour after lunch", "Asks for a break before leaving the room"),
    "Settled while the task was short and clear. Left the room when three instructions came at"
    " once and the noise rose. Came back within five minutes when nobody followed.",
    (
        ("One instruction at a time, shown as well as said", "Class teacher"),
        ("Plan the first ten minutes after lunch with the key adult", "Teaching assistant"),
    ),
)
ASD = Words(
    "Changes to the day lead to distress that lasts an hour or more. The timetable helps, but not"
    " when the change is sudden, and playtimes are spent alone.",
    (
        ("A visual timetable at the desk", "Looks at it often; a change is still hard"),
        ("A story about changes, read each week", "Liked, but not yet used in the moment"),
    ),
    ("Manages one change a day with a warning", "Plays beside another child twice a week"),
    "Follows the timetable by touch, card by card. A change of room came without a warning and"
    " was refused. With a card for 'change' shown first, the next one was accepted.",
    (
        ("A 'change' card, shown at least ten minutes before", "Class teacher"),
        ("A chosen game with one partner at playtime", "Lunchtime supervisor"),
    ),
)
SLCN = Words(
    "Understands less than the class expects, and is hard to follow outside familiar subjects."
    " Frustration shows as silence. We want to know how to support talk in the whole class.",
    (
        ("Key words with pictures before each topic", "Joins in more when the words are known"),
        ("Ten minutes of talk in a small group, daily", "Speaks in the group, not in class"),
    ),
    ("Answers in a full sentence once a lesson", "Says when something is not understood"),
    "Watched others before starting each task. Understood two key words of an instruction, not"
    " four. Spoke freely about a chosen subject when nobody asked questions.",
    (
        ("Pause ten seconds after a question", "All staff"),
        ("Three key words for each lesson, with pictures", "Class teacher"),
    ),
)
LEARNING = Words(
    "Progress in reading and number is much slower than that of others with the same support."
    " We want to know which steps to take next, and how to make them small enough.",
    (
        ("Phonics again, in a group of three", "Knows ten more sounds, does not blend"),
        ("Number work with objects each morning", "Counts to ten with help"),
    ),
    ("Reads twenty words on sight", "Works alone for ten minutes on a task at the right step"),
    "Worked well with objects in hand and gave up with a worksheet. Remembered what was practised"
    " for two minutes, three times in the morning.",
    (
        ("Three short practices a day in place of one long one", "Teaching assistant"),
        ("Tasks with objects before anything on paper", "Class teacher"),
    ),
)
ACCESS = Words(
    "Gets tired and misses parts of lessons that others take for granted. We want to make the"
    " classroom and the school day work without singling anybody out.",
    (
        ("A seat near the front and away from the door", "Helps in lessons, not in the hall"),
        ("Extra time to move between rooms", "Arrives on time; misses time with friends"),
    ),
    ("Takes part in every lesson of the morning", "Has the equipment that is needed in each room"),
    "Took part fully at the table and dropped out when the group moved to the carpet. The light"
    " from the window made the board hard to see.",
    (
        ("Work at a table for the whole class, not the carpet", "Class teacher"),
        ("A check of seat, light and equipment in each room", "SENCo"),
    ),
)

BY_NEED = {
    "SEMH": SEMH,
    "ASD": ASD,
    "SLCN": SLCN,
    **dict.fromkeys(("MLD", "SPLD", "SLD", "OTH"), LEARNING),
}


def about(need: str) -> Words:
    """The sentences for a census type of need."""
    return BY_NEED.get(need, ACCESS)


def needs(random: Random) -> list[str]:
    """A primary need in the proportions of the county, and sometimes another."""
    drawn = random.choices(list(NEED_MIX), weights=list(NEED_MIX.values()), k=2)
    return drawn if drawn[0] != drawn[1] and random.random() < 0.4 else drawn[:1]
