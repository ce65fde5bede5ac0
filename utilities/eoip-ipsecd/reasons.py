# SPDX-License-Identifier: Apache-2.0
"""Why an attempt has failed, found in what strongSwan's log says of it.  Only
our own sentences are passed on: its lines have the peer's words in them."""

import re

SECRETS = "the secrets of the two sides differ"
# The peer that knows nobody of our address says the same.
REFUSED = "the peer takes none of our {proposals}, or expects no tunnel of ours"
NO_ANSWER = "the peer does not answer"

# Pieces of strongSwan's lines, and what they mean.
SENTENCES = (
    ("NO_PROPOSAL_CHOSEN", REFUSED),
    ("no matching proposal found", "none of the peer's proposals is in our "
     "{proposals}"),
    ("no acceptable proposal found", "none of the peer's proposals is in our "
     "{proposals}"),
    ("received proposals unacceptable", "none of the peer's proposals is in "
     "our {proposals}"),
    ("received proposals inacceptable", "none of the peer's proposals is in "
     "our {proposals}"),
    ("AUTHENTICATION_FAILED", SECRETS),
    ("MAC mismatched", SECRETS),
    ("could not decrypt payloads", SECRETS),
    ("message parsing failed", SECRETS),
    ("HASH does not match", SECRETS),
    ("PAYLOAD_MALFORMED", SECRETS),
    ("TS_UNACCEPTABLE", "the peer wants other addresses or another protocol "
     "for the tunnel"),
    ("INVALID_ID_INFORMATION", "the peer wants other addresses or another "
     "protocol for the tunnel"),
    ("no acceptable traffic selectors", "the peer wants other addresses or "
     "another protocol for the tunnel"),
    ("constraint check failed", "the peer calls itself by another address than "
     "remote_ip"),
    ("does not match to", "the peer calls itself by another address than "
     "remote_ip"),
    ("unable to install inbound", "the kernel refuses the keys: it has no ESP, "
     "or lacks an algorithm"),
    ("unable to add SAD entry", "the kernel refuses the keys: it has no ESP, or "
     "lacks an algorithm"),
    ("giving up after", NO_ANSWER),
)


# Such lines are of another form in IKEv1 and IKEv2.
RETRANSMIT = re.compile(r"retransmit (\d+) of request (?:with )?message ID "
                        r"(\d+)(?:, seq (\d+))?")


class Attempt:
    """One connection's negotiations, from their lines in the log."""

    def __init__(self):
        self.established = False    # IKE is, ESP may not be.
        self.reason = None
        self.old = False            # The reason is that of an attempt before.

    def line(self, text):
        """Takes the next line; `reason` is then what is known."""
        if "initiating" in text and "IKE_SA" in text:
            self.established = False
            self.old = True
        elif text.startswith("IKE_SA ") and " established between" in text:
            self.established = True
        elif match := RETRANSMIT.search(text):
            self.retransmitted(*match.groups())
        for piece, sentence in SENTENCES:
            if piece in text:
                self.found(sentence.format(
                    proposals="esp_proposals" if self.established
                    else "ike_proposals"))
                break

    def retransmitted(self, times, message, sequence):
        """The third message of IKEv1 is the first that is encrypted, by a key
        that the secret is part of: a peer with another one cannot read it."""
        if message == "0" and sequence == "3":
            self.found(SECRETS)
        elif times != "1":
            self.found(NO_ANSWER)

    def found(self, reason):
        """Silence says less than what was heard before it."""
        if reason != NO_ANSWER or self.reason is None or self.old:
            self.reason = reason
            self.old = False


__all__ = ["Attempt"]
