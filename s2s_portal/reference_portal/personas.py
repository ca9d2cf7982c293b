"""The people a newcomer can be in this portal. All are invented.

They stand in for the council's own accounts. They never exist beside real sign-on: with
`PORTAL_ENTRA_ISSUER` or `PORTAL_DFE_ISSUER` set nobody can be a persona.
"""

from __future__ import annotations

from dataclasses import dataclass

from s2s_portal import Actor, Role
from s2s_portal.reference_portal.demonstration_schools import (
    HIGH_SCHOOL,
    OTHER_PROVIDER,
    PRIMARY,
    PROVIDER,
    name_of,
)


@dataclass(frozen=True)
class Persona:
    """One invented person: `job` and `can` are what the sign-on page says of them."""

    key: str
    name: str
    job: str
    can: str
    roles: tuple[Role, ...] = ()
    establishment: int | None = None
    provider: int | None = None

    @property
    def email(self) -> str:
        """An address that can never be anybody's."""
        return f"{self.key}@portal.example"

    @property
    def place(self) -> str:
        """The school this person works at, or the council."""
        urn = self.establishment or self.provider
        return name_of(urn) if urn else "Norfolk Services"

    @property
    def actor(self) -> Actor:
        """This person as the service knows them."""
        return Actor(
            id=self.key,
            name=self.name,
            email=self.email,
            roles=frozenset(self.roles),
            establishments=(self.establishment,) if self.establishment else (),
            provider=self.provider,
        )


PERSONAS: dict[str, Persona] = {
    persona.key: persona
    for persona in (
        Persona(
            "senco",
            "Sam O'Brien-Łukasz",
            "SENCo",
            "Start a referral, answer questions about it and read the records of visits.",
            (Role.REFERRER,),
            establishment=PRIMARY,
        ),
        Persona(
            "head",
            "Hana Whitlock",
            "Head teacher",
            "Do all that the SENCo of the same school can do, and agree to a referral and its fee.",
            (Role.HEAD,),
            establishment=PRIMARY,
        ),
        Persona(
            "other-senco",
            "Olu Adeyemi-Grant",
            "SENCo",
            "Make referrals for another school. Sees nothing of the first school.",
            (Role.REFERRER,),
            establishment=HIGH_SCHOOL,
        ),
        Persona(
            "officer",
            "Ola Bergström",
            "SEND officer",
            "Decide on referrals and allocate each to a practitioner.",
            (Role.OFFICER,),
        ),
        Persona(
            "practitioner",
            "Pat Nwosu",
            "Practitioner",
            "Book visits, write the record of each visit and close with outcomes.",
            (Role.PRACTITIONER,),
            provider=PROVIDER,
        ),
        Persona(
            "other-practitioner",
            "Quin Hartley",
            "Practitioner",
            "Do the same for another Complex Needs School, with other referrals.",
            (Role.PRACTITIONER,),
            provider=OTHER_PROVIDER,
        ),
        Persona(
            "lead",
            "Lena Farouk",
            "Lead of outreach",
            "See what the practitioners of one Complex Needs School are doing.",
            (Role.LEAD,),
            provider=PROVIDER,
        ),
        Persona(
            "finance",
            "Fay Ollerton",
            "Finance officer",
            "See the fee ledger and pull what is due. Never sees a child.",
            (Role.FINANCE,),
        ),
        Persona(
            "finance-approver",
            "Abe Solanki",
            "Finance approver",
            "Do what the finance officer does, with the right to approve corrections.",
            (Role.FINANCE, Role.FINANCE_APPROVER),
        ),
        Persona(
            "manager",
            "Mo Castellane",
            "Programme manager",
            "See what the service achieved and what it cost.",
            (Role.MANAGER,),
        ),
        Persona(
            "auditor",
            "Aud Pemberley",
            "Auditor",
            "See who looked at what, and who changed what.",
            (Role.AUDITOR,),
        ),
        Persona(
            "administrator",
            "Adi Rosewarne",
            "Administrator",
            "Look after the service's people, schools and rules.",
            (Role.ADMINISTRATOR,),
        ),
        Persona(
            "outsider",
            "Oz Thackery",
            "Someone with no part in the service",
            "Signed in to the portal, but School to School Support is closed to them. Can fill in"
            " one section if a school sends them the link.",
        ),
    )
}
