"""Scores every letter with SpamAssassin, offline; fails at 2 points or more."""

import re
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

LIMIT = 2.0
worst = 0.0
for text in sorted(Path(sys.argv[1]).glob("E-*.txt")):
    message = EmailMessage()
    message["From"] = "SEQPULSE <bonjour@mail.example.com>"
    message["To"] = "nassir@example.org"
    message["Date"] = "Tue, 03 Mar 2026 08:00:00 +0100"
    message["Message-ID"] = "<6c0f5b1e52b94f0e9b0a1a2b3c4d5e6f@mail.example.com>"
    for line in text.with_suffix(".headers").read_text().splitlines():
        name, value = line.split(": ", 1)
        message[name] = value
    message.set_content(text.read_text())
    message.add_alternative(text.with_suffix(".html").read_text(), subtype="html")
    scored = subprocess.run(["spamassassin", "-L", "-t"], input=message.as_bytes(), capture_output=True, check=True)
    status = re.search(r"X-Spam-Status:.*?score=(-?[\d.]+).*?tests=([A-Z0-9_,\s]*)", scored.stdout.decode("utf8", "replace"), re.S)
    score = float(status.group(1))
    worst = max(worst, score)
    if score >= LIMIT:
        print(f"{text.stem}: {score} {''.join(status.group(2).split())}")
print(f"spamassassin: worst score {worst}")
sys.exit(worst >= LIMIT)
