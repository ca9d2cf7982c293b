"""The end of a referral: outcomes at the start, end report, what a school says, case study."""
